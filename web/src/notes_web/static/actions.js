// What a person can do to notes: each makes a command, which is on the screen before it is sent.

import { asTag, decide, trimmed } from "./fold.js";
import { keepMine } from "./conflict.js";
import { newId, now } from "./ids.js";
import { whenPainted } from "./paint.js";
import { FIELD, seenBase, seenVersion, without } from "./pending.js";
import { enqueue, instead, undo } from "./queue.js";
import { queue, say, setQueue, viewOf } from "./store.js";
import { reached } from "./writes.js";

const PAUSE_MS = 400; // of typing, after which a text is sent
const LATEST_MS = 2_000; // though typing goes on
const UNDO_MS = 6_000;
const LONGEST = { title: 200, body: 100_000 }; // characters, as the services count them: code points
const KEY_TO_PAINT = "key-to-paint";

const REFUSALS = {
  note_archived: "The note is archived. Restore it to change it.",
  note_deleted: "The note is deleted.",
  note_not_found: "The note is not here yet.",
  too_many_tags: "A note has at most 20 tags.",
};

/**
 * Make a command of a note, unless a rule is known to say no. `event`: the key or click that it comes from. `base`:
 * {version, value} of the text that the person saw, which may be older than what is known by now.
 */
function make(noteId, name, data, { event = null, wait = 0, base = null } = {}) {
  const made = event?.timeStamp ?? performance.now();
  const { document, pending, note } = viewOf(noteId).peek();
  const at = now();
  const command = { id: newId(), note_id: noteId, name, data: { note_id: noteId, ...data }, made_at: at };
  if (name !== "create-note") {
    const decision = decide(note, command, at);
    if (decision.code) {
      say(REFUSALS[decision.code] ?? "That is not possible now.", { kind: "error" });
      return null;
    }
    // Typing back to where one was changes nothing in the end, but ends what is on its way.
    if (decision.event === null && !(FIELD[name] && pending.length)) return null;
  }
  const field = FIELD[name];
  if (field) command.base = seenBase({ version: seenVersion(document, pending), value: note[field] }, base);
  if (wait) {
    command.not_before = Date.now() + wait;
    command.latest = Date.now() + Math.max(wait, LATEST_MS);
  }
  const put = enqueue(command, made);
  if (put) whenPainted(() => painted(put.id, made));
  return put;
}

let measured = 0;

// Every change is measured, for whoever opens the browser's tools; the memory for that is bounded.
function painted(id, made) {
  reached(id, "painted");
  performance.measure(KEY_TO_PAINT, { start: made, end: performance.now() });
  measured += 1;
  if (measured % 5_000 === 0) performance.clearMeasures(KEY_TO_PAINT);
}

/** Make a new note and return its id; it is sent after a pause in typing. */
export function createNote(tags, event) {
  const id = newId();
  make(id, "create-note", { title: "Untitled", body: "", tags, author: null }, { event, wait: 1_500 });
  return id;
}

/** Return whether a title or a body has so many characters as a note may have; say so if not. */
export function fits(field, text) {
  const longest = LONGEST[field];
  const count = text.length > longest ? Array.from(text).length : text.length;
  if (count <= longest) return true;
  say(`A ${field === "title" ? "title" : "text"} has at most ${longest.toLocaleString("en")} characters. The change was not taken: it would have had ${count.toLocaleString("en")}.`,
    { kind: "error", seconds: 12, key: `too long: ${field}` });
  return false;
}

export const editBody = (id, body, event, base) => make(id, "update-note", { body }, { event, wait: PAUSE_MS, base });

/** Change the title; one without a letter in it is not sent, the person has not finished. */
export function rename(id, text, event, base) {
  const title = trimmed(text);
  return title === "" ? null : make(id, "rename-note", { title }, { event, wait: PAUSE_MS, base });
}

/** Add a tag. Return whether the text is one. */
export function addTag(id, text, event) {
  const tag = asTag(text);
  if (tag === null) {
    say("A tag has letters a–z, digits and dashes, at most 32.", { kind: "error" });
    return false;
  }
  make(id, "tag-note", { tag }, { event });
  return true;
}

export const removeTag = (id, tag, event) => make(id, "untag-note", { tag }, { event });

export function archive(id, event) {
  const command = make(id, "archive-note", {}, { event });
  if (command) say("Archived.", { key: command.id, action: { label: "Undo", run: () => restore(id) } });
}

export const restore = (id, event) => make(id, "restore-note", {}, { event });

/** Delete a note: gone from the screen at once, sent after some seconds, until which it can be taken back. */
export function remove(id, event) {
  const command = make(id, "delete-note", {}, { event, wait: UNDO_MS });
  if (!command || command.name !== "delete-note") return;
  say("Deleted.", {
    key: command.id,
    seconds: UNDO_MS / 1000,
    action: {
      label: "Undo",
      run: () => { if (!undo(command.id)) say("It was sent already.", { kind: "error" }); },
    },
  });
}

/** Settle a conflict: put my text over theirs, or let theirs stand. `mix`: {text, theirs}, one that was written out of both. */
export function chooseMine(command, mix) {
  instead(command.id, keepMine(command, newId(), mix));
}

export function chooseTheirs(command) {
  reached(command.id, "rejected", { reason: "The other's text was chosen." });
  setQueue(without(queue.peek(), command.id));
}

/** Put away the notice of a refused command. */
export const dismiss = (command) => setQueue(without(queue.peek(), command.id));
