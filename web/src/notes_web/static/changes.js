// Follows GET /notes/changes with a streaming fetch: EventSource can send no token. Resumes by the last id.

import { ask, config } from "./api.js";
import { person } from "./auth.js";
import { pauseAfter } from "./retry.js";
import { sseParser } from "./sse.js";
import { connection } from "./store.js";

const SILENT_S = 40; // heartbeats come every 15 s
const FIRST_S = 0.5;
// A browser opens six connections to a service over HTTP/1.1, those of all its windows together: without this six
// windows would hold all of them, and none could read. Who only looks elsewhere for a moment keeps the stream.
const HIDDEN_S = 5;
const AFRESH_S = 3_600; // after which everything is read anew: less than to be told of each change since

let lastId = "";
let failures = 0;

/**
 * Follow for ever. `on.open(resumed)`: it is live from here on, with or without what came before. `on.change(data)`.
 * `on.reset()`: changes are lost, everything has to be read anew.
 */
export async function followChanges(on) {
  for (;;) {
    await signedIn();
    await seen();
    let wait = 0;
    try {
      await follow(on);
      wait = FIRST_S; // the service ended it: it goes down, the token has expired, or this page was too slow
    } catch (error) {
      if (error.status === 400) lastId = "";
      wait = pauseAfter(failures, error.retryAfter);
      failures += 1;
    }
    connection.value = navigator.onLine ? "connecting" : "offline";
    if (failures > 1) connection.value = "offline";
    if (!document.hidden) await pause(wait);
  }
}

async function follow(on) {
  const end = new AbortController();
  const stop = () => end.abort();
  let silence = setTimeout(stop, SILENT_S * 1000);
  addEventListener("offline", stop);
  let unseen = 0;
  const looked = () => {
    clearTimeout(unseen);
    if (document.hidden) unseen = setTimeout(stop, HIDDEN_S * 1000);
  };
  document.addEventListener("visibilitychange", looked);
  try {
    const headers = lastId ? { "Last-Event-ID": lastId } : {};
    const resumed = lastId !== "";
    const answer = await ask(`${config.query_url}/notes/changes`, { headers, signal: end.signal, seconds: 10 ** 6 });
    const push = sseParser();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let open = false;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(stop, SILENT_S * 1000);
      for (const one of push(value)) {
        if (one.id) lastId = one.id;
        if (!open) {
          open = true;
          failures = 0;
          connection.value = "live";
          on.open(resumed);
        }
        if (one.event === "change") on.change(JSON.parse(one.data));
        else if (one.event === "reset") on.reset();
      }
    }
  } finally {
    clearTimeout(silence);
    clearTimeout(unseen);
    removeEventListener("offline", stop);
    document.removeEventListener("visibilitychange", looked);
  }
}

const signedIn = () => new Promise((resolve) => {
  let stop = null;
  stop = person.subscribe((value) => {
    if (value) queueMicrotask(() => { stop(); resolve(); });
  });
});

/** Wait until somebody sees the page. */
async function seen() {
  if (!document.hidden) return;
  const since = performance.now();
  await new Promise((resolve) => {
    document.addEventListener("visibilitychange", function look() {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    });
  });
  if (performance.now() - since > AFRESH_S * 1000) lastId = "";
}

/** Wait, or until the device is online again. */
const pause = (seconds) => new Promise((resolve) => {
  const done = () => {
    clearTimeout(timer);
    removeEventListener("online", done);
    resolve();
  };
  const timer = setTimeout(done, seconds * 1000);
  addEventListener("online", done);
});
