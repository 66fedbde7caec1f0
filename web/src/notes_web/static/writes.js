// The way of each write, from real events: made, painted, sent, accepted, visible. Times are performance.now().

import { signal } from "./html.js";
import { query, writeStore } from "./api.js";
import { store, stored } from "./storage.js";

const KEPT = 50;
/** The last writes, the newest first: {id, note_id, name, what, state, version, reason, at: {made, painted, …}, compared}. */
export const writes = signal([]);
/** Whether each accepted write is also read by the two other strategies. */
export const comparing = signal(stored("comparing") === "yes");

export function compare(on) {
  comparing.value = on;
  store("comparing", on ? "yes" : "no");
}

const patch = (id, change) => {
  const before = writes.peek();
  const place = before.findIndex((one) => one.id === id);
  if (place < 0) return;
  const changed = change(before[place]);
  if (changed === before[place]) return;
  const after = [...before];
  after[place] = changed;
  writes.value = after;
};

/** A command was made, or goes on being typed. */
export function began(command, made) {
  if (writes.peek().some((one) => one.id === command.id)) return;
  const one = { id: command.id, note_id: command.note_id, name: command.name, data: command.data,
    state: command.state, version: null, reason: null, at: { made }, compared: null };
  writes.value = [one, ...writes.peek()].slice(0, KEPT);
}

/** A step was taken now: `painted`, `sending`, `sent`, `accepted`, `visible`, `rejected`, `conflict`. */
export function reached(id, state, change = {}) {
  const at = performance.now();
  patch(id, (one) => {
    if (one.at[state] !== undefined && state !== "sending") return Object.keys(change).length ? { ...one, ...change } : one;
    const next = { ...one, ...change, at: { ...one.at, [state]: one.at[state] ?? at } };
    if (state !== "painted") next.state = state;
    return next;
  });
}

/** The same change goes on under another command: the outcome of the first one was a no. */
export const became = (id, other) => patch(id, (one) => ({ ...one, id: other, state: "waiting", reason: null }));

export const dropped = (id) => { writes.value = writes.peek().filter((one) => one.id !== id); };

let measuring = false;

/**
 * Read the same edit by the other two strategies, and note when each had it and what it had. One edit at a time: what
 * waits for a read side that is behind takes connections from everything else.
 */
export async function compareStrategies(command, version) {
  if (measuring) return;
  measuring = true;
  const begin = performance.now();
  const measure = async (name, read) => {
    let found;
    try {
      const { data, headers } = await read();
      found = { ms: performance.now() - begin, version: data.version, consistency: headers.get("Consistency") };
    } catch (error) {
      found = { ms: performance.now() - begin, error: error.code ?? "no_connection" };
    }
    patch(command.id, (one) => ({ ...one, compared: { ...one.compared, [name]: found } }));
  };
  await Promise.all([
    measure("write-store", () => writeStore(`/notes/${command.note_id}`)),
    measure("min-version", () => query(`/notes/${command.note_id}`, { min_version: version, wait: 10 })),
  ]);
  measuring = false;
}
