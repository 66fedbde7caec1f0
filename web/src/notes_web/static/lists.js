// The list of notes, what a search found, and the tags: read by pages, and read anew when a change concerns them.

import { query } from "./api.js";
import { keep, recall } from "./database.js";
import { computed, signal } from "./html.js";
import { noteLag, onChange, putRows, watched } from "./reads.js";
import { answered, askAgain } from "./retry.js";
import { isDeleted, queue, viewOf } from "./store.js";

const PAGE = 50;
const LARGEST = 200;
const LATEST_MS = 2_000;
const LONGEST_LATE_S = 10;
const UNTOLD_MS = 10_000; // for so long after a change a lag of 0 may be one from before it

/** {key, ids, cursor, state: "loading" | "ready" | "more" | "error", problem, snippets, late}; `late`: seconds behind */
const EMPTY = { key: "", ids: [], cursor: null, state: "loading", problem: null, snippets: new Map(), late: 0, ranked: false };
export const list = signal(EMPTY);
const tags = signal([]);
export const filters = signal({ q: "", tag: "", status: "active" });

let asking = null;
let timer = 0;
let changedAt = -UNTOLD_MS;

const keyOf = ({ q, tag, status }) => JSON.stringify([q, tag, status]);
const path = (chosen) => (chosen.q ? "/notes/search" : "/notes");

function parameters(chosen, limit, cursor) {
  return { q: chosen.q, tag: chosen.tag, status: chosen.status, limit, cursor };
}

/** Show the notes that are chosen; rows that are known already stay where they are until the answer comes. */
export async function choose(chosen) {
  const key = keyOf(chosen);
  if (key === list.peek().key) return;
  filters.value = chosen;
  answered("list");
  const kept = await recall(`list:${key}`);
  if (keyOf(filters.peek()) !== key) return;
  if (kept) putRows(kept);
  const before = list.peek();
  // What is shown and still matches stays until the answer comes; ranked and dated orders are not mixed.
  const carried = before.ranked && !chosen.q ? EMPTY : before;
  list.value = { ...EMPTY, key, ids: kept ? kept.map((one) => one.id) : carried.ids, snippets: carried.snippets,
    ranked: Boolean(chosen.q), state: kept ? "ready" : "loading" };
  await reload();
}

/** Read the first rows anew, as many as are shown. `rest`: those behind them stay. */
export async function reload(rest = true) {
  const chosen = filters.peek();
  const key = keyOf(chosen);
  const limit = Math.min(Math.max(list.peek().ids.length, PAGE), LARGEST);
  await read(chosen, key, limit, null, rest);
}

/** Read the next page, if there is one and it is not on its way. */
export async function more() {
  const { cursor, state, key } = list.peek();
  if (!cursor || state !== "ready" || key !== keyOf(filters.peek())) return;
  list.value = { ...list.peek(), state: "more" };
  await read(filters.peek(), key, PAGE, cursor);
}

async function read(chosen, key, limit, cursor, rest = true) {
  asking?.abort();
  clearTimeout(timer);
  const mine = (asking = new AbortController());
  try {
    const { data, headers } = await query(path(chosen), parameters(chosen, limit, cursor), { signal: mine.signal });
    if (mine.signal.aborted) return;
    answered("list");
    const late = Number.parseFloat(headers.get("Projection-Lag") ?? "0");
    if (!chosen.q) noteLag(headers);
    putRows(data.items);
    const before = list.peek();
    const found = data.items.map((one) => one.id);
    const kept = cursor ? before.ids : [];
    const tail = rest && !cursor && before.key === key && before.ids.length > found.length && data.next_cursor ? before.ids : [];
    const ids = [...new Set([...kept, ...found, ...tail])];
    const snippets = new Map([...(cursor ? before.snippets : []), ...data.items.map((one) => [one.id, one.snippet])]);
    list.value = { key, ids, snippets, late, ranked: Boolean(chosen.q), state: "ready", problem: null,
      cursor: tail.length ? before.cursor : data.next_cursor };
    if (!cursor && !chosen.q) keep(`list:${key}`, data.items.filter((one) => !isDeleted(one.id)));
    // No change is told when the documents of searches have come: what is behind is read again once it may not be.
    const untold = performance.now() - changedAt < UNTOLD_MS;
    if (chosen.q && (late > 0 || untold)) timer = setTimeout(() => reload(), Math.min(Math.max(late, 1), LONGEST_LATE_S) * 1000);
  } catch (problem) {
    if (mine.signal.aborted) return;
    list.value = { ...list.peek(), state: "error", problem };
    if (problem.temporary) askAgain("list", () => reload(rest), problem.retryAfter);
  }
}

const matches = (note, { tag, status }) =>
  note && note.status !== "deleted" && note.status !== "unknown" &&
  (status === "all" || note.status === status) && (!tag || note.tags.includes(tag));

/** Return `after`, or `before` if that says the same: who shows it need not paint again. */
function unlessSame(before, after, same) {
  return before?.length === after.length && after.every((one, at) => same(before[at], one)) ? before : after;
}

let lastIds;
let lastTags;

/** Ids to show, the newest first: those that were read, with mine on top, as far as they still match what is chosen. */
export const shownIds = computed(() => {
  const chosen = filters.value;
  const { ids } = list.value;
  const known = new Set(ids);
  const mine = chosen.q ? [] : queue.value
    .filter((one) => one.state !== "rejected" && !known.has(one.note_id))
    .map((one) => one.note_id);
  const all = [...new Set(mine.reverse()), ...ids];
  const found = all.filter((id) => matches(viewOf(id).value.note, chosen));
  const stable = unlessSame(lastIds, found, Object.is);
  if (stable !== lastIds) watched.rows = new Set(found);
  return (lastIds = stable);
});

const activeTags = (note) => (note?.status === "active" ? note.tags : []);

/** The tags with their counts, my pending commands counted in. */
export const shownTags = computed(() => {
  const counts = new Map(tags.value.map(({ tag, count }) => [tag, count]));
  for (const id of new Set(queue.value.map((one) => one.note_id))) {
    const { document, note } = viewOf(id).value;
    for (const tag of activeTags(document)) counts.set(tag, (counts.get(tag) ?? 1) - 1);
    for (const tag of activeTags(note)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  }
  const found = [...counts].filter(([, count]) => count > 0).map(([tag, count]) => ({ tag, count }))
    .sort((one, other) => other.count - one.count || (one.tag < other.tag ? -1 : 1));
  return (lastTags = unlessSame(lastTags, found, (one, other) => one.tag === other.tag && one.count === other.count));
});

/** Show the tags of the last visit until those of today come. */
export async function beginTags() {
  const kept = await recall("tags");
  if (kept && tags.peek().length === 0) tags.value = kept;
  await readTags();
}

async function readTags() {
  try {
    const { data, headers } = await query("/tags");
    answered("tags");
    noteLag(headers);
    tags.value = data.items;
    keep("tags", data.items);
  } catch (problem) {
    if (problem.temporary) askAgain("tags", readTags, problem.retryAfter);
  }
}

const soonTimers = new Map();
/** Run after a pause, and after `LATEST_MS` at the latest though it is asked for again and again. */
function soon(name, run, ms) {
  const before = soonTimers.get(name);
  const latest = before?.latest ?? Date.now() + LATEST_MS;
  clearTimeout(before?.timer);
  const wait = Math.max(0, Math.min(ms, latest - Date.now()));
  const timer = setTimeout(() => { soonTimers.delete(name); run(); }, wait);
  soonTimers.set(name, { timer, latest });
}

const COUNTED = /note-(created|tagged|untagged|archived|restored|deleted|snapshotted)/;

onChange((change) => {
  changedAt = performance.now();
  const chosen = filters.peek();
  if (COUNTED.test(change.type)) soon("tags", readTags, 300);
  if (chosen.q) soon("list", reload, 1_000); // search documents are a second behind
  else if (COUNTED.test(change.type) && !list.peek().ids.includes(change.id)) soon("list", reload, 60);
});

/** Read everything on the screen anew: changes were lost. */
export function readAgain() {
  return Promise.all([reload(false), readTags()]);
}

/** The note before or after one in the list, or the first one. */
export function neighbour(id, step) {
  const ids = shownIds.peek();
  const place = ids.indexOf(id);
  return place < 0 ? ids[0] : ids[Math.min(Math.max(place + step, 0), ids.length - 1)];
}
