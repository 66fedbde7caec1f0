// What the page knows, as signals: documents of the read side, the queue of commands, and what is shown of both.

import { batch, computed, signal } from "./html.js";
import { withTheirs } from "./conflict.js";
import { forget, writeCommands } from "./database.js";
import { fold } from "./fold.js";
import { ofNote, shownBy } from "./pending.js";

const documents = new Map();
const views = new Map();

export const queue = signal([]);
/** Seconds by which lists may be behind, as the last answer said; null: not said. */
export const lag = signal(null);
/** How the stream of changes is: connecting, live, offline. */
export const connection = signal("connecting");
/** Short messages: [{id, key, text, kind, action: {label, run}}]. */
export const messages = signal([]);

const seen = new Set();
/** Call `listener(commands)` with those that a document has just come to show. */
export const onShown = (listener) => seen.add(listener);

/** The document of a note as the read side has it: a signal, undefined in it while nothing is known. */
export function documentOf(id) {
  let found = documents.get(id);
  if (!found) documents.set(id, (found = signal(undefined)));
  return found;
}

// One entry a note, so that typing in one does not compute all.
const pendingByNote = new Map();
function pendingOf(id) {
  let found = pendingByNote.get(id);
  if (!found) pendingByNote.set(id, (found = signal(ofNote(queue.peek(), id))));
  return found;
}

/** What is shown of a note: {note, pending, document}, a signal. `note`: null if there is nothing to show. */
export function viewOf(id) {
  let found = views.get(id);
  if (!found) {
    found = computed(() => {
      const document = documentOf(id).value;
      const pending = pendingOf(id).value;
      return { document, pending, note: fold(document, pending) };
    });
    views.set(id, found);
  }
  return found;
}

/** Replace the queue: on the screen at once, then in IndexedDB. */
export function setQueue(after) {
  const before = queue.peek();
  if (after === before) return;
  const old = new Map(before.map((one) => [one.id, one]));
  const changes = [];
  const touched = new Set();
  for (const one of after) {
    if (old.get(one.id) !== one) {
      changes.push([one.id, one]);
      touched.add(one.note_id);
    }
    old.delete(one.id);
  }
  for (const [id, one] of old) {
    changes.push([id, null]);
    touched.add(one.note_id);
  }
  batch(() => {
    queue.value = after;
    for (const id of touched) pendingOf(id).value = ofNote(after, id);
  });
  if (changes.length) writeCommands(changes);
}

/** Take what was read of a note; what is older than what is known is nothing new. Commands that it shows leave at once. */
export function putDocument(document) {
  const place = documentOf(document.id);
  const known = place.peek();
  if (known && known.version > document.version) return;
  const same = known?.version === document.version && known.status === document.status;
  if (same && Object.keys(document).every((key) => known[key] !== undefined)) return; // nothing to paint
  batch(() => {
    place.value = same ? { ...known, ...document } : { created_at: known?.created_at, author: known?.author, ...document };
    leaveShown(document.id);
  });
}

/**
 * Take those commands of a note out of the queue that its document shows. An outcome may come after the document that
 * shows it: whoever puts either calls this.
 */
export function leaveShown(id) {
  const document = documentOf(id).peek();
  const before = queue.peek();
  if (!document || !before.some((one) => one.note_id === id)) return;
  const after = shownBy(before, document).map((one) => (one.note_id === id ? withTheirs(one, document) : one));
  const left = before.filter((one) => !after.some((other) => other.id === one.id));
  setQueue(after);
  if (left.length) for (const listener of seen) listener(left, document);
}

export const isDeleted = (id) => documents.get(id)?.peek()?.status === "deleted";

/** A note that is deleted: its document says so, and holds nothing more. Nor does this device. */
export function putDeleted(id) {
  forget(id);
  putDocument({ id, status: "deleted", title: "", body: "", preview: "", word_count: 0, tags: [], author: null,
    version: Number.MAX_SAFE_INTEGER });
}

let messageId = 0;

/**
 * Show a message for some seconds (0: until it is closed); return how to take it away. It takes the place of one with
 * the same `key`; one that has a key of its own stays for its time, however many come after it.
 */
export function say(text, { kind = "info", action = null, seconds = 6, key = text } = {}) {
  const id = (messageId += 1);
  const close = () => { messages.value = messages.value.filter((one) => one.id !== id); };
  const rest = messages.value.filter((one) => one.key !== key);
  const last = rest.filter((one) => one.key === one.text).slice(-2);
  messages.value = [...rest.filter((one) => one.key !== one.text || last.includes(one)), { id, key, text, kind, action, close }];
  if (seconds) setTimeout(close, seconds * 1000);
  return close;
}
