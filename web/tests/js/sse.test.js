import assert from "node:assert/strict";
import { test } from "node:test";

import { sseParser } from "../../src/notes_web/static/sse.js";
import { moved } from "../../src/notes_web/static/text.js";

const STREAM = 'retry: 2000\nid: A\n\nid: B\nevent: change\ndata: {"id":"n",\ndata: "version":2}\n\n: heartbeat\n\nevent: reset\ndata: {}\n\n';
const EVENTS = [{ event: "change", data: '{"id":"n",\n"version":2}', id: "B" }, { event: "reset", data: "{}", id: "B" }];

const eventsOf = (chunks) => {
  const push = sseParser();
  return chunks.flatMap(push);
};

test("events, ids and the first comment are found", () => {
  const found = eventsOf([STREAM]);
  assert.deepEqual(found.filter((one) => one.event), EVENTS);
  assert.equal(found[0].id, "A", "the place to go on from, before anything has happened");
});

for (const [name, end] of [["LF", "\n"], ["CR LF", "\r\n"], ["CR", "\r"]]) {
  test(`cut anywhere, with ${name}, the same events come out`, () => {
    const text = STREAM.replaceAll("\n", end);
    for (let at = 0; at <= text.length; at += 1) {
      assert.deepEqual(eventsOf([text.slice(0, at), text.slice(at)]).filter((one) => one.event), EVENTS, `cut at ${at}`);
    }
    assert.deepEqual(eventsOf([...text]).filter((one) => one.event), EVENTS);
  });
}

test("what is not complete is not an event", () => {
  assert.deepEqual(eventsOf(["event: change\ndata: 1\n"]).filter((one) => one.event), []);
});

test("a place in a text stays with the characters around it", () => {
  assert.equal(moved("one three", "one two three", 2), 2);
  assert.equal(moved("one three", "one two three", 9), 13);
  assert.equal(moved("one three", "one two three", 4), 4);
  assert.equal(moved("abc", "", 2), 0);
  assert.equal(moved("", "abc", 0), 0);
  assert.equal(moved("aXb", "aYYb", 2), 3);
});
