// The queue of a person's commands that the read side does not show yet. Pure: a queue is an array in the order of
// making; every function returns a new one. What is shown is fold(document, the note's part of it).
//
// A command: {id, note_id, name, data, made_at, not_before, state, attempts, base, outcome, reason}
//   state    waiting → sending → sent → accepted, or rejected, or conflict (a person has to choose)
//   attempts how often it was sent; from the first time on its id stands for its data, which may not change any more
//   base     for a body or a title: {version, value} that the person saw when beginning to change it

export const FIELD = { "update-note": "body", "rename-note": "title" };
const DONE = new Set(["rejected"]);

/** Return the commands of one note that are shown: all but those that were refused. */
export const ofNote = (queue, noteId) => queue.filter((one) => one.note_id === noteId && !DONE.has(one.state));

const replace = (queue, id, change) => queue.map((one) => (one.id === id ? { ...one, ...change } : one));
const untouched = (command) => command?.state === "waiting" && command.attempts === 0;

/**
 * Return the queue with a command added. Typing goes on in the last command of the note while that was not sent; what
 * is done to a note that was not sent yet becomes part of its creation; deleting such a note leaves nothing to send.
 */
export function add(queue, command) {
  const mine = ofNote(queue, command.note_id);
  const last = mine.at(-1);
  const field = FIELD[command.name];
  // A text that a person has to choose for goes on being theirs to write.
  const open = field && mine.findLast((one) => one.name === command.name && one.state === "conflict");
  if (open) return replace(queue, open.id, { data: { ...open.data, [field]: command.data[field] } });
  if (untouched(last)) {
    if (last.name === "create-note") return intoCreation(queue, last, command);
    if (field && last.name === command.name) {
      return replace(queue, last.id, { data: command.data, not_before: soonest(last, command) });
    }
  }
  return [...queue, command];
}

// Waits for a pause in typing, and not for ever: `latest` is when it is sent though typing goes on.
const soonest = (last, command) => Math.min(command.not_before, last.latest ?? Infinity);

function intoCreation(queue, create, command) {
  const { name, data, not_before } = command;
  if (name === "delete-note") return queue.filter((one) => one.id !== create.id);
  const { tags } = create.data;
  const change = {
    "update-note": () => ({ body: data.body }),
    "rename-note": () => ({ title: data.title }),
    "tag-note": () => ({ tags: tags.includes(data.tag) ? tags : [...tags, data.tag] }),
    "untag-note": () => ({ tags: tags.filter((one) => one !== data.tag) }),
  }[name];
  if (!change) return [...queue, command];
  return replace(queue, create.id,
    { data: { ...create.data, ...change() }, not_before: soonest(create, { not_before }) });
}

/** Return the version that a text is based on which a person sees now: the document's, and their own accepted ones on top. */
export function seenVersion(document, mine) {
  let version = document?.version ?? 0;
  for (const one of mine) if (one.state === "accepted" && one.version === version + 1) version = one.version;
  return version;
}

/**
 * Return {version, value} that a text is based on: `now`, what is known, unless the person saw another text than that.
 * A field keeps what is in it while an input method composes, or while it is empty.
 */
export const seenBase = (now, seen) => (seen && seen.value !== now.value ? seen : now);

// Farther away than anything waits: the clock was set back meanwhile.
const FAR_MS = 60_000;
const UNDER_WAY = new Set(["waiting", "sent"]);
const isDue = (command, now) => command.not_before <= now || command.not_before > now + FAR_MS;

/**
 * Return the commands whose time has come, the first unfinished one of each note: those that wait are sent, and for those
 * that were sent the outcome is asked for.
 */
export function sendable(queue, now) {
  const seen = new Set();
  const found = [];
  const leaving = new Set(queue.filter((one) => one.name === "delete-note").map((one) => one.note_id));
  for (const one of queue) {
    if (one.state === "rejected" || one.state === "accepted" || seen.has(one.note_id)) continue;
    if (one.state === "conflict" && leaving.has(one.note_id)) continue; // nothing to choose for what goes anyway
    seen.add(one.note_id);
    if (UNDER_WAY.has(one.state) && isDue(one, now)) found.push(one);
  }
  return found;
}

/** Return when the next command's time comes, Infinity if none waits for it. */
export const nextAt = (queue, now) =>
  Math.min(Infinity, ...queue.filter((one) => UNDER_WAY.has(one.state) && !isDue(one, now)).map((one) => one.not_before));

/** Return the queue with nothing that waits any longer for its time, but for what can still be taken back. */
export const hurried = (queue, deletions = false) => queue.map((one) =>
  (UNDER_WAY.has(one.state) && one.not_before && (deletions || one.name !== "delete-note" || one.attempts) ? { ...one, not_before: 0 } : one));

/** Return what is sent of a command: its data, with the version that the person's text is based on. */
export function dataToSend(command) {
  return command.base ? { ...command.data, expected_version: command.base.version } : command.data;
}

export const sending = (queue, id) =>
  queue.map((one) => (one.id === id ? { ...one, state: "sending", attempts: one.attempts + 1 } : one));

/** It is not known whether it arrived: the same id is sent again at `at` (milliseconds). */
export const again = (queue, id, at, reason) => replace(queue, id, { state: "waiting", not_before: at, reason, asked: 0 });

/** It arrived, and its outcome is asked for at `at`. */
export const sent = (queue, id, at) =>
  queue.map((one) => (one.id === id ? { ...one, state: "sent", reason: null, not_before: at, asked: (one.asked ?? 0) + 1 } : one));

/**
 * Return the queue after an outcome `{status: "accepted", version}`. What the person wrote on top of this command is
 * based on its version, if nobody else came between; if somebody did, the next outcome will say so.
 */
export function accepted(queue, id, version) {
  const command = queue.find((one) => one.id === id);
  if (!command) return queue;
  let behind = false;
  return queue.map((one) => {
    if (one.id === id) {
      behind = true;
      return { ...one, state: "accepted", version, reason: null };
    }
    const follows = behind && one.note_id === command.note_id && one.base && one.attempts === 0;
    const gapless = follows && version <= one.base.version + 1 && version > one.base.version;
    return gapless ? { ...one, base: { ...one.base, version } } : one;
  });
}

/** Return the queue after a no. What was done to a note that was never made is refused with it. */
export function rejected(queue, id, reason) {
  const command = queue.find((one) => one.id === id);
  if (!command) return queue;
  return queue.map((one) => {
    const lost = command.name === "create-note" && one.note_id === command.note_id && one.attempts === 0;
    return one.id === id || lost ? { ...one, state: "rejected", reason } : one;
  });
}

/**
 * Return the queue without the commands that a document shows: those that were accepted at its version or below. A
 * choice that is open on a note that is deleted is none any more; what was written is kept with what was refused.
 */
export function shownBy(queue, document) {
  return queue
    .filter((one) => !(one.note_id === document.id && one.state === "accepted" && one.version <= document.version))
    .map((one) => (one.note_id === document.id && one.state === "conflict" && document.status === "deleted"
      ? { ...one, state: "rejected", reason: "The note was deleted meanwhile." } : one));
}

export const without = (queue, id) => queue.filter((one) => one.id !== id);

/** Return whether a delete, or any other command, can still be taken back: it was never sent. */
export const canUndo = untouched;
