import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { json, services } from "./browser.js";

const STATIC = "../../src/notes_web/static";
const { config, Problem, query } = await import(`${STATIC}/api.js`);
const { person } = await import(`${STATIC}/auth.js`);
const { pauseAfter } = await import(`${STATIC}/retry.js`);
const { refresh, untilVisible, watched } = await import(`${STATIC}/reads.js`);
const { queue, setQueue } = await import(`${STATIC}/store.js`);
Object.assign(config, { command_url: "http://command", query_url: "http://query" });
person.value = { sub: null, name: null, scopes: null };

const turns = async () => { for (let turn = 0; turn < 50; turn += 1) await Promise.resolve(); };
const accepted = (id, note_id, version) => ({ id, note_id, name: "tag-note", data: { tag: "a" }, state: "accepted", version, attempts: 1 });

test("what is not visible yet is asked for once a note, for its highest version, and two notes at a time", async (t) => {
  t.after(() => { mock.timers.reset(); setQueue([]); });
  mock.timers.enable({ apis: ["setTimeout"] });
  const waiting = [];
  const asked = services(({ url }) => (url.includes("min_version") ? new Promise((resolve) => waiting.push(resolve)) : json({ items: [] })));
  const commands = ["n", "m", "o"].flatMap((note) => [2, 3, 4].map((version) => accepted(`${note}${version}`, note, version)));
  setQueue(commands);
  for (const one of commands) untilVisible(one, one.version);
  mock.timers.tick(2_000);
  await turns();
  const polls = () => asked.filter(({ url }) => url.includes("min_version")).map(({ url }) => url.replace(/http:..query.notes.(.).*min_version=(\d).*/, "$1$2"));
  assert.deepEqual(polls(), ["n4", "m4"]);
  setQueue(queue.peek().filter((one) => one.note_id !== "n")); // seen by another way
  waiting[0](json({ version: 4 }, 200, { Consistency: "stale" }));
  await turns();
  assert.deepEqual(polls(), ["n4", "m4", "o4"]);
});

test("reads that fail are made again once, however many were asked for meanwhile", async (t) => {
  t.after(() => { mock.timers.reset(); watched.open = null; });
  mock.timers.enable({ apis: ["setTimeout"] });
  watched.open = "p";
  const asked = services(() => json({ code: "too_many_requests" }, 429));
  for (let version = 2; version < 12; version += 1) await refresh("p", version);
  const before = asked.length;
  mock.timers.tick(30_000);
  await turns();
  assert.equal(asked.length - before, 2, "the note and its body");
});

test("a service is not asked at full speed, nor waited for for days", async () => {
  for (const [said, kept] of [["2592000", 30], ["-1", 0], ["0", 0], ["7", 7], ["soon", null]]) {
    services(() => json({}, 503, { "Retry-After": said }));
    const problem = await query("/tags").catch((error) => error);
    assert.ok(problem instanceof Problem);
    assert.equal(problem.retryAfter, kept, said);
  }
  assert.ok(pauseAfter(0, 0) >= 0.3);
  assert.ok(pauseAfter(99, 30) <= 30);
});
