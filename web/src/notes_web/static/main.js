// Puts the page together: configuration, session, database, and what goes on in the background.

import { config } from "./api.js";
import { beginSession, person } from "./auth.js";
import { followChanges } from "./changes.js";
import { openDatabase } from "./database.js";
import { effect, html, render } from "./html.js";
import { beginTags, choose, list, readAgain } from "./lists.js";
import { leaveTogether } from "./leaving.js";
import { keepOffline } from "./offline.js";
import { beginSending, onAccepted } from "./queue.js";
import { changed, refresh, untilVisible, watched } from "./reads.js";
import { followed, go, route } from "./router.js";
import { say, viewOf } from "./store.js";
import { App } from "./views/app.js";
import { listenToKeys } from "./views/help.js";
import "./theme.js";

async function begin() {
  const root = document.getElementById("root");
  try {
    const answer = await fetch("/config.json");
    if (!answer.ok) throw new Error(`the configuration was not sent (${answer.status})`);
    Object.assign(config, await answer.json());
  } catch (error) {
    root.textContent = `The page cannot start: ${error.message}. Load it again.`;
    return;
  }
  document.addEventListener("click", followed);
  listenToKeys();
  keepOffline();
  let from = null;
  try {
    from = await beginSession(config);
  } catch (error) {
    person.value = false;
    say(`Signing in did not succeed: ${error.message}`, { kind: "error", seconds: 0 });
    from = "/";
  }
  if (from !== null) go(from, { replace: true });
  root.textContent = "";
  render(html`<${App} config=${config} />`, root);
  const stop = person.subscribe((who) => {
    if (who) queueMicrotask(() => { stop(); signedIn(who); });
  });
}

async function signedIn(who) {
  // Each person has a queue of their own: nobody sends what another wrote.
  const name = who.sub === null ? "notes" : `notes-${who.sub}`;
  await openDatabase(name);
  leaveTogether(name);
  onAccepted(untilVisible);
  await beginSending();
  effect(() => {
    const { page, q, tag, status } = route.value;
    if (page !== "operations") choose({ q, tag, status });
  });
  beginTags();
  let opened = false;
  followChanges({
    open: (resumed) => {
      // What changed between the first reads and the first moment of the stream is read once more.
      if (!resumed || opened) everythingAgain();
      opened = true;
    },
    change: changed,
    reset: everythingAgain,
  });
  effect(() => {
    const { id } = route.value;
    const note = id && viewOf(id).value.note;
    const title = note?.title ? `${note.title} · Notes` : "Notes";
    if (document.title !== title) document.title = title;
  });
}

function everythingAgain() {
  if (watched.open) refresh(watched.open);
  if (list.peek().key) readAgain();
}

begin();
