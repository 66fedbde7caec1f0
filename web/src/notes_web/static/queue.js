// Sends the queue: a note's commands one after the other, each under its id until its outcome is known.

import { outcomeOf, sendCommand, writeStore } from "./api.js";
import { person } from "./auth.js";
import { settle } from "./conflict.js";
import { forget, storedCommands, writeCommands, writeDirty } from "./database.js";
import { newId } from "./ids.js";
import * as pending from "./pending.js";
import { batch, effect } from "./html.js";
import { pauseAfter } from "./retry.js";
import { addressOf, go, route } from "./router.js";
import { leaveShown, onShown, putDeleted, queue, say, setQueue } from "./store.js";
import { amongWindows, beOpen, tab } from "./windows.js";
import { became, began, comparing, compareStrategies, dropped, reached } from "./writes.js";

const AT_ONCE = 4; // a browser opens six connections to a service, and one of them is for reads
const WAIT_S = 10;
const ASK_S = 1; // an outcome that is late holds none of those places
const ASK_TIMES = 12; // in some minutes; then the command is sent once more, under the same id
const REFUSED_KEPT_MS = 30 * 86_400_000;
const inFlight = new Map();
let timer = 0;

/** Take over what was left by a page that is gone, and send from now on. */
export async function beginSending() {
  beOpen();
  await adopt();
  setInterval(adopt, 5_000);
  addEventListener("online", flush);
  // Whoever looks elsewhere has finished writing, and whoever leaves will take nothing back.
  document.addEventListener("visibilitychange", () => { if (document.hidden) flush(); });
  addEventListener("pagehide", () => setQueue(pending.hurried(queue.peek(), true)));
  onShown((commands) => commands.forEach((one) => reached(one.id, "visible")));
  effect(() => {
    void queue.value;
    if (person.value) pump();
  });
}

// Several pages of one browser share the database. Each sends its own commands, and those of pages that are closed.
const adopt = () => amongWindows(takeOver).catch((error) => console.error("what other pages left was not read", error));

async function takeOver(open) {
  await writeDirty();
  const known = new Set(queue.peek().map((one) => one.id));
  const all = await storedCommands();
  const old = all.filter((one) => one.state === "rejected" && Date.now() - Date.parse(one.made_at) > REFUSED_KEPT_MS);
  if (old.length) writeCommands(old.map((one) => [one.id, null]));
  const orphans = all.filter((one) => !old.includes(one) && !known.has(one.id) && one.tab !== tab && !open.has(one.tab))
    .map((one) => ({ ...one, tab, state: one.state === "sending" || one.state === "sent" ? "waiting" : one.state }))
    .sort((one, other) => one.order - other.order);
  if (!orphans.length) return;
  for (const one of orphans) began(one, performance.now());
  setQueue([...orphans, ...queue.peek()]);
  for (const one of orphans.filter(({ state }) => state === "accepted")) {
    leaveShown(one.note_id);
    tellAccepted(one, one.version);
  }
}

let order = Date.now();

/** Put a command into the queue, or into the one that is still being written. `made`: when the key was pressed. */
export function enqueue(command, made = performance.now()) {
  const full = { state: "waiting", attempts: 0, not_before: 0, reason: null, tab, order: (order += 1), ...command };
  return put(pending.add(queue.peek(), full), made)[0] ?? null;
}

/** Replace the queue, and tell the log of writes. Return the commands that are new or changed. */
function put(after, made = performance.now()) {
  const before = queue.peek();
  const changed = after.filter((one) => !before.includes(one));
  const fresh = changed.filter((one) => !before.some((other) => other.id === one.id));
  const gone = before.filter((one) => !after.some((other) => other.id === one.id));
  if (gone.length && fresh.length === 1) became(gone.shift().id, fresh[0].id);
  for (const one of gone) dropped(one.id);
  for (const one of changed) began(one, made);
  setQueue(after);
  return changed;
}

/** Take a command back that was never sent. */
export function undo(id) {
  const command = queue.peek().find((one) => one.id === id);
  if (!command || !pending.canUndo(command)) return false;
  setQueue(pending.without(queue.peek(), id));
  dropped(id);
  return true;
}

/** Return how many commands of this person no service has accepted, those of other windows too. */
export async function unsent() {
  const elsewhere = (await storedCommands()).filter((one) => one.tab !== tab);
  const all = new Map([...elsewhere, ...queue.peek()].map((one) => [one.id, one]));
  return [...all.values()].filter((one) => one.state !== "accepted").length;
}

/** Send now whatever waits for a pause in typing, or for its next try. */
export const flush = () => setQueue(pending.hurried(queue.peek()));

/** Put another command in the place of one: what a person chose. */
export const instead = (id, command) => put(queue.peek().map((one) => (one.id === id ? command : one)));

function pump() {
  if (!person.peek()) return;
  const now = Date.now();
  for (const command of pending.sendable(queue.peek(), now)) {
    if (inFlight.size >= AT_ONCE) break;
    if (inFlight.has(command.note_id)) continue;
    inFlight.set(command.note_id, command.id);
    send(command).finally(() => {
      inFlight.delete(command.note_id);
      pump();
    });
  }
  clearTimeout(timer);
  const next = pending.nextAt(queue.peek(), now);
  if (next < Infinity) timer = setTimeout(pump, Math.max(next - now, 5));
}

const update = (change, ...given) => setQueue(change(queue.peek(), ...given));

async function send(command) {
  let outcome = null;
  try {
    if (command.state === "sent") {
      outcome = await outcomeOf(command.id, ASK_S);
    } else {
      update(pending.sending, command.id);
      reached(command.id, "sending");
      outcome = await sendCommand(command.name, command.id, pending.dataToSend(command), WAIT_S);
    }
    if (outcome === null) late(command);
  } catch (error) {
    if (error.temporary) later(command, error);
    else if (error.body?.outcome) outcome = error.body.outcome;
    else refused(command, error.code, error.message);
  }
  if (outcome) await settled(command, outcome);
}

function late(command) {
  const asked = command.asked ?? 0;
  const at = Date.now() + 1000 * Math.max(1, pauseAfter(asked));
  update(asked < ASK_TIMES ? pending.sent : pending.again, command.id, at, "No outcome came.");
  reached(command.id, "sent");
}

async function settled(command, outcome) {
  if (outcome.status === "accepted") {
    reached(command.id, "accepted", { version: outcome.version });
    if (command.name === "delete-note") forget(command.note_id);
    batch(() => {
      update(pending.accepted, command.id, outcome.version);
      leaveShown(command.note_id);
    });
    if (comparing.peek()) compareStrategies(command, outcome.version);
    tellAccepted(command, outcome.version);
  } else if (outcome.error?.code === "version_conflict" && command.base) {
    await conflicted(command);
  } else {
    refused(command, outcome.error?.code, outcome.error?.message);
  }
}

const acceptedListeners = new Set();
const tellAccepted = (command, version) => { for (const listener of acceptedListeners) listener(command, version); };
/** Call `listener(command, version)` with each command that was accepted. */
export const onAccepted = (listener) => acceptedListeners.add(listener);

async function conflicted(command) {
  let present;
  try {
    present = (await writeStore(`/notes/${command.note_id}`)).data;
  } catch (error) {
    if (error.status === 410 || error.status === 404) {
      if (error.status === 410) putDeleted(command.note_id);
      refused(command, error.code, error.message);
    } else {
      later(command, error); // the same id gets the same outcome, and then it is asked again
    }
    return;
  }
  const id = newId();
  put(settle(queue.peek(), command.id, present, id, Date.now()));
  if (queue.peek().some((one) => one.id === id && one.state === "conflict")) {
    reached(id, "conflict");
    tellElsewhere(command, "Somebody else changed a text that you wrote. One of both has to be chosen.");
  }
}

/** Say something of a note that is not open, with the way to it; an open one says it itself. */
function tellElsewhere(command, text) {
  if (route.peek().id === command.note_id) return;
  say(text, { kind: "error", seconds: 20, action: { label: "Look", run: () => go(addressOf({ id: command.note_id })) } });
}

function later(command, error) {
  const attempts = queue.peek().find((one) => one.id === command.id)?.attempts ?? 1;
  update(pending.again, command.id, Date.now() + pauseAfter(attempts - 1, error.retryAfter) * 1000, error.message);
  reached(command.id, "waiting", { reason: error.message, state: "waiting" });
}

const WORDS = {
  note_archived: "The note was archived meanwhile.",
  note_deleted: "The note was deleted meanwhile.",
  note_not_found: "The note does not exist.",
  note_already_exists: "There is a note with this id already.",
  too_many_tags: "A note has at most 20 tags.",
  forbidden: "You may read notes, not change them.",
};

function refused(command, code, message) {
  const reason = WORDS[code] ?? message ?? "The command was refused.";
  reached(command.id, "rejected", { reason });
  update(pending.rejected, command.id, reason);
  if (code === "note_deleted") putDeleted(command.note_id);
  if (!pending.FIELD[command.name] && command.name !== "create-note") {
    say(`Not done: ${reason}`, { kind: "error" });
    update(pending.without, command.id);
  } else {
    tellElsewhere(command, `Not taken: ${reason}`);
  }
}
