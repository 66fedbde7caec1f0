// What to do about a version conflict: nothing that a person wrote is overwritten without their knowing. Pure.

import { FIELD } from "./pending.js";

const AGAIN_MS = 20;
const LONGEST_MS = 400;

/**
 * Return the queue after a version conflict of the command `id`; `present` is the note as it is now, out of the write
 * store, `newId` for a new command, since the outcome of the old one is settled, `now` the time in milliseconds.
 * What was typed meanwhile is taken in.
 *   nothing to do   the note has this text already, or the person ended where they began
 *   sent again      nobody has touched this text: the same change, based on the present version
 *   a conflict      somebody has: `theirs` is what they wrote, and a person has to choose
 */
export function settle(queue, id, present, newId, now = 0) {
  const command = queue.find((one) => one.id === id);
  if (!command) return queue;
  const field = FIELD[command.name];
  const later = queue.filter((one) => one.note_id === command.note_id && one.name === command.name &&
    one.state === "waiting" && one.attempts === 0);
  const text = (later.at(-1) ?? command).data[field];
  const theirs = { version: present.version, value: present[field] };
  const mine = { ...command, id: newId, data: { ...command.data, [field]: text }, attempts: 0, not_before: 0, reason: null };
  let stand = [{ ...mine, state: "conflict", theirs }];
  if (theirs.value === text || text === command.base.value) stand = [];
  else if (theirs.value === command.base.value || theirs.value === command.data[field]) {
    // Where others write all the time, asking at once would lose the race again and again.
    const moves = (command.moves ?? 0) + 1;
    stand = [{ ...mine, state: "waiting", base: theirs, moves, not_before: now + Math.min(moves * AGAIN_MS, LONGEST_MS) }];
  }
  return queue.flatMap((one) => (one.id === id ? stand : later.includes(one) ? [] : [one]));
}

/** Return an open conflict with what the others have written meanwhile. */
export function withTheirs(command, document) {
  const value = document[FIELD[command.name]];
  if (command.state !== "conflict" || value === undefined || document.version <= command.theirs.version) return command;
  return { ...command, theirs: { version: document.version, value } };
}

/**
 * Return the command that puts my text over theirs, which I have seen. `mix`: {text, theirs}, one out of both, and the
 * theirs that went into it: what was written since is another conflict.
 */
export function keepMine(command, newId, mix = null) {
  const { theirs, ...rest } = command;
  const text = mix?.text ?? command.data[FIELD[command.name]];
  const data = { ...command.data, [FIELD[command.name]]: text };
  return { ...rest, id: newId, data, state: "waiting", attempts: 0, not_before: 0, base: mix?.theirs ?? theirs };
}

/** Return the words and gaps of two texts as `[{text, kind: "same" | "mine" | "theirs"}]`, to show what differs. */
export function difference(mine, theirs) {
  const one = mine.match(/\s+|\S+/gu) ?? [];
  const other = theirs.match(/\s+|\S+/gu) ?? [];
  let start = 0;
  while (start < one.length && start < other.length && one[start] === other[start]) start += 1;
  let end = 0;
  while (end < one.length - start && end < other.length - start && one.at(-1 - end) === other.at(-1 - end)) end += 1;
  const part = (words, from, to, kind) => ({ text: words.slice(from, to).join(""), kind });
  return [
    part(one, 0, start, "same"),
    part(one, start, one.length - end, "mine"),
    part(other, start, other.length - end, "theirs"),
    part(one, one.length - end, one.length, "same"),
  ].filter((found) => found.text !== "");
}
