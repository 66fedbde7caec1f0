// What survives a reload: the queue of commands, and the last known documents and lists, in IndexedDB. What it does not
// take (a private window, a full disk) is in the journal, a text in localStorage; and what neither takes is said.

import { effect, signal } from "./html.js";
import { whenPainted } from "./paint.js";
import { store, storedJson, unstore } from "./storage.js";

const VERSION = 1;
const KEPT = 300;
const AGAIN_MS = 5_000;
let name = "";
let opened = null;
let journalName = "";
let closed = false;

/** Whether what was written would survive a reload. */
export const safe = signal(true);
const ask = (event) => event.preventDefault();
effect(() => (safe.value ? removeEventListener : addEventListener)("beforeunload", ask));

/** Open the database of one person; call it once, before anything else. */
export async function openDatabase(wanted) {
  name = wanted;
  journalName = `journal of ${name}`;
  opened = open();
  opened.then(shrink).catch(() => undefined);
  await writeDirty();
}

const open = () => new Promise((resolve) => {
  let asked;
  try {
    asked = indexedDB.open(name, VERSION);
  } catch {
    resolve(null);
    return;
  }
  asked.onupgradeneeded = () => {
    asked.result.createObjectStore("commands", { keyPath: "id" });
    asked.result.createObjectStore("kept");
  };
  asked.onsuccess = () => {
    asked.result.onclose = () => { opened = open(); }; // the browser may clear what a site keeps
    resolve(asked.result);
  };
  asked.onerror = asked.onblocked = () => resolve(null);
});

// What is kept to be shown at once is only for that: beyond a number all of it goes, and is kept anew.
async function shrink() {
  const count = await run("kept", "readonly", (place) => place.count());
  if (count > KEPT) await clearKept();
}

const clearKept = () => run("kept", "readwrite", (place) => place.clear());

/**
 * Run `work(store)` in a transaction and return its request's result once it is durable. `more`: what it asked for will
 * ask for more. Raises DOMException: there is no database, or it did not take it.
 */
async function run(store, mode, work, more = false) {
  return closed && mode === "readwrite" ? undefined : transact(store, mode, work, more);
}

async function transact(store, mode, work, more = false) {
  const database = await opened;
  if (!database) throw new DOMException("there is no database", "InvalidStateError");
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(store, mode);
    const request = work(transaction.objectStore(store));
    if (mode === "readwrite" && !more) transaction.commit?.();
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onabort = () => reject(transaction.error ?? new DOMException("it was not written", "AbortError"));
  });
}

/** The commands that are kept. What is in the journal is newer than what is in the database. */
export async function storedCommands() {
  const found = await run("commands", "readonly", (place) => place.getAll()).catch(() => []);
  const all = new Map(found.map((one) => [one.id, one]));
  for (const [id, command] of journal()) command ? all.set(id, command) : all.delete(id);
  return [...all.values()];
}

export const keep = (key, value) => run("kept", "readwrite", (place) => place.put(value, key)).catch(() => undefined);
export const recall = (key) => run("kept", "readonly", (place) => place.get(key)).catch(() => undefined);

const gone = new Set();
let forgetting = false;

/** Remove what is kept of a note that is deleted: its text, and its row in every list. Many at once share one pass. */
export async function forget(id) {
  gone.add(id);
  if (forgetting) return;
  forgetting = true;
  while (gone.size) {
    const now = new Set(gone);
    gone.clear();
    await run("kept", "readwrite", (place) => removeNotes(place, now), true).catch(() => undefined);
  }
  forgetting = false;
}

function removeNotes(place, ids) {
  for (const id of ids) place.delete(`note:${id}`);
  place.openCursor(IDBKeyRange.bound("list:", "list;")).onsuccess = ({ target: { result: at } }) => {
    if (!at) return;
    const rest = at.value.filter((one) => !ids.has(one.id));
    if (rest.length < at.value.length) at.update(rest);
    at.continue();
  };
}

/** Keep nothing from now on: what is still being read, or sent, would come back to a database that was cleared. */
export function keepNothing() {
  closed = true;
  dirty.clear();
  unsure.clear();
  clearTimeout(timer);
  safe.value = true; // nothing is left to be lost
}

/** Remove everything, and keep nothing from now on: whoever signs out leaves nothing behind. */
export async function clearDatabase() {
  keepNothing();
  unstore(journalName);
  if (await opened) await Promise.all(["commands", "kept"].map((store) => transact(store, "readwrite", (place) => place.clear())));
}

const dirty = new Map(); // id → command, or null for one that is gone: not given to the database yet
const unsure = new Map(); // given, and not known to be durable
let timer = 0;

/** Write commands down (null: remove), right after the frame that shows them. */
export function writeCommands(changes) {
  if (closed) return;
  for (const [id, command] of changes) dirty.set(id, command);
  if (left) writeJournal();
  else whenPainted(writeDirty);
}

const journal = () => Object.entries(storedJson(journalName)).filter(([id, one]) => one === null || one?.id === id);

let writing = Promise.resolve();
/** Give the database what is not in it yet, and what is in the journal. One at a time: what is newer is written later. */
export const writeDirty = () => (writing = writing.then(write));

async function write() {
  const before = closed ? [] : journal();
  if (dirty.size + before.length === 0) return;
  const now = [...dirty];
  dirty.clear();
  for (const [id, command] of now) unsure.set(id, command);
  try {
    await run("commands", "readwrite", (place) => {
      for (const [id, command] of [...before, ...now]) command ? place.put(command) : place.delete(id);
    });
    tookOver(before);
    safe.value = true;
    clearTimeout(timer);
    timer = 0;
  } catch (error) {
    notWritten(error, now);
  }
  for (const [id, command] of now) if (unsure.get(id) === command) unsure.delete(id);
}

/** Take out of the journal what the database has: other windows may have written there meanwhile. */
function tookOver(entries) {
  if (entries.length === 0) return;
  const rest = storedJson(journalName);
  for (const [id, command] of entries) if (JSON.stringify(rest[id]) === JSON.stringify(command)) delete rest[id];
  if (Object.keys(rest).length) store(journalName, JSON.stringify(rest));
  else unstore(journalName);
}

function notWritten(error, now) {
  if (closed) return;
  if (!timer) console.error("the queue was not written down", error);
  for (const [id, command] of now) if (!dirty.has(id)) dirty.set(id, command);
  safe.value = writeJournal();
  // Room for what a person wrote goes before what is only there to be shown at once.
  if (error.name === "QuotaExceededError") clearKept().catch(() => undefined);
  clearTimeout(timer);
  timer = setTimeout(async () => {
    if (!(await opened)) opened = open();
    writeDirty();
  }, AGAIN_MS);
}

// A page that is left gets no answer from the database any more. What is not durable then is written down at once, the
// one way there is, and given to the database at the next visit. What happens after that too: a command that is sent
// while the page goes must not come back as one that was never sent, whose text may still change under its id.
let left = false;

addEventListener("pagehide", () => {
  left = true;
  writeJournal();
});

/** Write down what the database may not have. Return whether it is. */
function writeJournal() {
  if (closed) return true;
  const rest = { ...storedJson(journalName), ...Object.fromEntries(unsure), ...Object.fromEntries(dirty) };
  return Object.keys(rest).length === 0 || store(journalName, JSON.stringify(rest));
}

addEventListener("pageshow", (event) => {
  if (!event.persisted) return; // the same page comes back, and goes on where it was
  if (closed) {
    location.reload(); // but not that of somebody who signed out
    return;
  }
  left = false;
  writeDirty();
});
