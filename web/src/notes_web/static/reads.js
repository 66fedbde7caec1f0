// Reads documents and keeps them fresh: what is on the screen, or has a command on its way, follows every change.

import { query } from "./api.js";
import { keep, recall } from "./database.js";
import { signal } from "./html.js";
import { answered, askAgain, pauseAfter } from "./retry.js";
import { documentOf, isDeleted, lag, putDeleted, putDocument, queue } from "./store.js";

const TRIES = 4;
const AT_ONCE = 4;
const UNSEEN_S = 2;
// After this a secondary of the read store is asked again for rows that it did not have yet.
const BEHIND_S = 0.5;
const POLLS = 2; // requests that wait; a browser opens six connections to a service
const LAG_S = 1.5;
const ROWS = 100;
const ROWS_S = 0.03;
const BETWEEN_ROWS_S = 0.25;

/** Ids of notes that were asked for and are not there: null while not known, or the Problem. */
export const troubles = signal(new Map());
const trouble = (id, problem) => {
  if (!problem && !troubles.peek().has(id)) return;
  const next = new Map(troubles.peek());
  if (problem) next.set(id, problem);
  else next.delete(id);
  troubles.value = next;
};

/** What to read of the notes on the screen: id → whether with its body. Set by the views. */
export const watched = { open: null, rows: new Set() };

export function noteLag(headers) {
  const text = headers.get("Projection-Lag");
  if (text !== null) lag.value = Number.parseFloat(text);
}

/** Read a note with its body, both at one version, and put it into the store. Return it, and the newest that was seen. */
async function readWhole(id) {
  const path = `/notes/${id}`;
  try {
    let view = null;
    let body = null;
    for (let tries = 0; tries < TRIES && (view === null || view.version !== body.version); tries += 1) {
      const older = view !== null && view.version < body.version;
      [view, body] = await Promise.all([
        view === null || older ? query(path).then(({ data }) => data) : view,
        body === null || !older ? query(`${path}/body`).then(({ data }) => data) : body,
      ]);
    }
    const document = { ...view, body: body.body, version: Math.min(view.version, body.version) };
    putDocument(document);
    trouble(id, null);
    // It may have been deleted since it was asked for.
    if (cared(id) && !isDeleted(id)) keep(`note:${id}`, document);
    return { found: document.version, newest: Math.max(view.version, body.version) };
  } catch (error) {
    if (error.status === 410) putDeleted(id);
    trouble(id, error);
    throw error;
  }
}

/** Whether a note exists in this page alone so far: there is nothing to read. */
const onlyHere = (id) => documentOf(id).peek() === undefined &&
  queue.peek().some((one) => one.note_id === id && one.name === "create-note" && one.state !== "accepted");

/** Open a note: what is kept of it at once, then what the read side has. */
export async function openNote(id) {
  watched.open = id;
  if (documentOf(id).peek()?.body === undefined) {
    const kept = await recall(`note:${id}`);
    if (kept && documentOf(id).peek()?.body === undefined) putDocument(kept);
  }
  await refresh(id);
}

/** Whether a note is on the screen, or has a command on its way. */
const cared = (id) => watched.open === id || queue.peek().some((one) => one.note_id === id);

const again = new Map();
const running = new Map();
const due = new Map(); // version that a note is read again for

/** Read a note again after a pause, if it still matters. */
function later(id, version, said = null) {
  due.set(id, Math.max(version, due.get(id) ?? 0));
  askAgain(id, () => { if (cared(id)) refresh(id, due.get(id)); else wasRead(id); }, said);
}

function wasRead(id) {
  due.delete(id);
  answered(id);
}

/** Read a note anew. One read a note at a time; asked for meanwhile, it is read once more after. */
export function refresh(id, version = 0) {
  if (onlyHere(id)) return Promise.resolve();
  again.set(id, Math.max(version, again.get(id) ?? 0));
  next();
  return running.get(id)?.promise ?? Promise.resolve();
}

function next() {
  for (const [id, version] of again) {
    if (running.size >= AT_ONCE) return;
    if (running.has(id)) continue;
    again.delete(id);
    const known = documentOf(id).peek();
    if (version && known?.body !== undefined && known.version >= version) continue;
    const promise = readWhole(id).then(({ found, newest }) => {
      const wanted = Math.max(version, newest, due.get(id) ?? 0);
      if (found < wanted) later(id, wanted);
      else wasRead(id);
    }, (error) => {
      if (error.temporary || (error.status === 404 && version)) later(id, version, error.retryAfter);
      else wasRead(id);
    }).finally(() => {
      running.delete(id);
      next();
    });
    running.set(id, { promise });
  }
}

const stale = new Map();
let readingRows = false;

/** Read rows anew, many in one request: where others write all the time, what that costs does not grow with it. */
async function refreshRow(id, version) {
  stale.set(id, Math.max(version, stale.get(id) ?? 0));
  if (readingRows) return;
  readingRows = true;
  let wait = ROWS_S;
  let failures = 0;
  while (stale.size) {
    await pause(wait);
    const wanted = new Map([...stale].slice(0, ROWS));
    for (const one of wanted.keys()) stale.delete(one);
    const wantAgain = (id) => stale.set(id, Math.max(wanted.get(id), stale.get(id) ?? 0));
    try {
      const { items } = (await query("/notes", { id: [...wanted.keys()] })).data;
      putRows(items);
      const lacking = items.filter((item) => item.version < wanted.get(item.id) && watched.rows.has(item.id));
      for (const item of lacking) wantAgain(item.id);
      wait = lacking.length ? BEHIND_S : BETWEEN_ROWS_S;
      failures = 0;
    } catch (error) {
      if (error.temporary) for (const one of wanted.keys()) wantAgain(one);
      wait = pauseAfter(failures, error.retryAfter);
      failures += 1;
    }
  }
  readingRows = false;
}

/** Put rows of a list into the store. A note that is known with its body is read whole: a row would take the body off. */
export function putRows(items) {
  for (const item of items) {
    const known = documentOf(item.id).peek();
    if (known?.body !== undefined && item.version > known.version) refresh(item.id, item.version);
    else putDocument(item);
  }
}

const AFTER_CHANGE = new Set();
/** Call `listener(change)` with every change, after its note is being read. Return what ends that. */
export function onChange(listener) {
  AFTER_CHANGE.add(listener);
  return () => AFTER_CHANGE.delete(listener);
}

/** A note has a new version. */
export function changed(change) {
  if (change.type.includes("note-deleted")) putDeleted(change.id);
  else if (cared(change.id)) refresh(change.id, change.version);
  else if (watched.rows.has(change.id)) refreshRow(change.id, change.version);
  for (const listener of AFTER_CHANGE) listener(change);
}

const unseen = new Map(); // note → its highest version that was accepted; who was asked for longest ago comes first
const polled = new Set();
const accepted = (id) => queue.peek().some((one) => one.note_id === id && one.state === "accepted");

/**
 * The other way to see one's own writes, for when the stream is away: ask for the version itself. That waits at the
 * service for ten seconds, so it is one request for all writes to a note, and for a few notes at once: others are read.
 */
export async function untilVisible({ note_id: id }, version) {
  unseen.set(id, Math.max(version, unseen.get(id) ?? 0));
  await pause(UNSEEN_S);
  if (accepted(id)) followLag();
  poll();
}

function poll() {
  for (const [id, version] of unseen) {
    if (polled.size >= POLLS) return;
    if (polled.has(id)) continue;
    unseen.delete(id);
    if (!accepted(id)) continue;
    unseen.set(id, version);
    polled.add(id);
    ask(id, version).finally(() => {
      polled.delete(id);
      poll();
    });
  }
}

async function ask(id, version) {
  let wait = UNSEEN_S;
  try {
    const { headers } = await query(`/notes/${id}`, { min_version: version, wait: 10 });
    if (headers.get("Consistency") === "current") await refresh(id, version);
    else wait = 0; // it was waited for already
  } catch (error) {
    if (error.status === 410) putDeleted(id);
    wait = Math.max(wait, error.retryAfter ?? 0);
  }
  if (accepted(id)) await pause(wait);
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
let following = false;

/** Ask how far the read side is behind for as long as somebody's write waits for it, and once more. */
async function followLag() {
  if (following) return;
  following = true;
  let waits;
  do {
    waits = queue.peek().some((one) => one.state === "accepted");
    await query("/notes", { limit: 1 }).then(({ headers }) => noteLag(headers), () => undefined);
    await pause(LAG_S);
  } while (waits);
  following = false;
}
