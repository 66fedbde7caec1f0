// What survives a reload: the queue of commands, and the last known documents and lists, in IndexedDB. Where a browser
// gives none (a private window), the page works on, and says nothing it cannot keep is kept.

import { whenPainted } from "./paint.js";
import { store, stored, storedJson, unstore } from "./storage.js";

const VERSION = 1;
const KEPT = 300;
let opened = null;
let journalName = "";
let closed = false;

/** Open the database of one person; call it once, before anything else. */
export async function openDatabase(name) {
  journalName = `journal of ${name}`;
  opened = new Promise((resolve) => {
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
      resolve(asked.result);
      shrink();
    };
    asked.onerror = () => resolve(null);
    asked.onblocked = () => resolve(null);
  });
  await takeJournal();
}

// What is kept to be shown at once is only for that: beyond a number all of it goes, and is kept anew.
async function shrink() {
  const count = await run("kept", "readonly", (place) => place.count());
  if (count > KEPT) await run("kept", "readwrite", (place) => place.clear());
}

/**
 * Run `work(store)` in a transaction and return its request's result once it is durable; undefined without a database.
 * `more`: what it asked for will ask for more.
 */
async function run(store, mode, work, more = false) {
  return closed && mode === "readwrite" ? undefined : transact(store, mode, work, more);
}

async function transact(store, mode, work, more = false) {
  const database = await opened;
  if (!database) return undefined;
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(store, mode);
    const request = work(transaction.objectStore(store));
    if (mode === "readwrite" && !more) transaction.commit?.();
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

export const storedCommands = async () => (await run("commands", "readonly", (place) => place.getAll())) ?? [];

const kept = (key) => run("kept", "readonly", (place) => place.get(key));
export const keep = (key, value) => run("kept", "readwrite", (place) => place.put(value, key)).catch(() => undefined);
export const recall = (key) => kept(key).catch(() => undefined);

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
}

/** Remove everything, and keep nothing from now on: whoever signs out leaves nothing behind. */
export async function clearDatabase() {
  keepNothing();
  unstore(journalName);
  await Promise.all(["commands", "kept"].map((store) => transact(store, "readwrite", (place) => place.clear())));
}

const dirty = new Map(); // id → command, or null for one that is gone: not given to the database yet
const unsure = new Map(); // given, and not known to be durable

/** Write commands down (null: remove), right after the frame that shows them. */
export function writeCommands(changes) {
  if (closed) return;
  for (const [id, command] of changes) dirty.set(id, command);
  if (left) writeJournal();
  else whenPainted(writeDirty);
}

async function writeDirty() {
  if (dirty.size === 0) return;
  const now = [...dirty];
  dirty.clear();
  for (const [id, command] of now) unsure.set(id, command);
  try {
    await run("commands", "readwrite", (place) => {
      for (const [id, command] of now) command ? place.put(command) : place.delete(id);
    });
  } catch (error) {
    console.error("the queue was not written down", error);
    for (const [id, command] of now) if (!dirty.has(id)) dirty.set(id, command);
  }
  for (const [id, command] of now) if (unsure.get(id) === command) unsure.delete(id);
}

// A page that is left gets no answer from the database any more. What is not durable then is written down at once, the
// one way there is, and given to the database at the next visit. What happens after that too: a command that is sent
// while the page goes must not come back as one that was never sent, whose text may still change under its id.
let left = false;

addEventListener("pagehide", () => {
  left = true;
  writeJournal();
});

function writeJournal() {
  if (closed) return;
  const rest = { ...storedJson(journalName), ...Object.fromEntries(unsure), ...Object.fromEntries(dirty) };
  if (Object.keys(rest).length) store(journalName, JSON.stringify(rest));
}

addEventListener("pageshow", (event) => {
  if (!event.persisted) return; // the same page comes back, and goes on where it was
  if (closed) {
    location.reload(); // but not that of somebody who signed out
    return;
  }
  left = false;
  unstore(journalName);
  writeDirty();
});

/** Give the database what pages that were left wrote down. */
export async function takeJournal() {
  if (closed) return;
  const text = stored(journalName);
  const rest = Object.entries(storedJson(journalName));
  if (rest.length === 0) return;
  await run("commands", "readwrite", (place) => {
    for (const [id, command] of rest) command ? place.put(command) : place.delete(id);
  });
  if (stored(journalName) === text) unstore(journalName); // else another page was left meanwhile
}
