// The golden vectors that the Python folds are run against, and what optimistic display adds.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { asTag, decide, digestOf, evolve, fold, trimmed } from "../../src/notes_web/static/fold.js";

const ROOT = new URL("../../../", import.meta.url);
const read = (path) => readFileSync(new URL(path, ROOT), "utf-8");
const COMMANDS = JSON.parse(read("web/tests/golden/commands.json"));

function eventOf(record) {
  const { headers, key, value } = record;
  let data = null;
  try {
    data = JSON.parse(value);
  } catch {
    // of a type that nobody knows: only its version counts
  }
  return {
    note_id: key,
    type: /^notes\.event\.(.+)\.v1$/.exec(headers.ce_type)?.[1] ?? headers.ce_type,
    version: Number(headers.ce_sequence ?? data?.version),
    occurred_at: data?.occurred_at,
    data,
  };
}

test("golden events make the documents that query-service stores", () => {
  const { documents } = JSON.parse(read("query-service/tests/golden/notes-v2.json"));
  const notes = new Map();
  let compared = 0;
  for (const line of read("query-service/tests/golden/events.jsonl").trim().split("\n")) {
    const event = eventOf(JSON.parse(line));
    const document = evolve(notes.get(event.note_id) ?? null, event);
    notes.set(event.note_id, document);
    const stored = documents[`${event.note_id}:${event.version}`];
    assert.ok(stored, `the golden file has no document ${event.note_id}:${event.version}`);
    for (const field of ["status", "title", "body", "preview", "word_count", "tags", "author", "created_at", "updated_at", "version"]) {
      assert.deepEqual(document[field], stored[field], `${field} at ${event.version} of ${event.note_id}`);
    }
    compared += 1;
  }
  assert.ok(compared > 9);
});

for (const scenario of COMMANDS) {
  test(`as command-service decides: ${scenario.name}`, () => {
    let note = scenario.before;
    for (const { command, data, code, changes } of scenario.steps) {
      const found = decide(note, { name: command, note_id: scenario.note_id, data }, scenario.at);
      assert.equal(found.code ?? null, code ?? null, command);
      if (code) continue;
      assert.equal(found.event === null, changes === null, `${command} changes ${JSON.stringify(changes)}`);
      if (found.event === null) continue;
      note = evolve(note, found.event);
      for (const [field, value] of Object.entries(changes)) assert.deepEqual(note[field], value, `${command}: ${field}`);
    }
  });
}

const NOTE = { id: "n", status: "active", title: "Bread", body: "Flour", tags: ["a"], author: null, version: 3,
  created_at: "2026-01-02T03:04:05.678Z", updated_at: "2026-01-02T03:04:05.678Z" };
const command = (name, data) => ({ name, note_id: "n", data, made_at: "2026-01-02T03:05:00.000Z" });

test("pending commands are shown on top of the document, in order, and leave it as it was", () => {
  const shown = fold(NOTE, [command("update-note", { body: "one two" }), command("tag-note", { tag: "b" }),
    command("update-note", { body: "three" })]);
  assert.equal(shown.body, "three");
  assert.deepEqual(shown.tags, ["a", "b"]);
  assert.equal(shown.version, 6);
  assert.equal(shown.word_count, 1);
  assert.equal(NOTE.body, "Flour");
});

test("what the document shows already changes nothing when it is folded again", () => {
  const after = fold({ ...NOTE, body: "mine", version: 4 }, [command("update-note", { body: "mine" })]);
  assert.equal(after.version, 4);
});

test("a text stays on the screen though another archived the note; only the outcome takes it away", () => {
  assert.equal(fold({ ...NOTE, status: "archived" }, [command("update-note", { body: "mine" })]).body, "mine");
});

test("a deleted note stays deleted, and without a document only a creation shows something", () => {
  assert.equal(fold({ ...NOTE, status: "deleted" }, [command("rename-note", { title: "x" })]).title, "Bread");
  assert.equal(fold(undefined, [command("rename-note", { title: "x" })]), null);
  assert.equal(fold(undefined, [command("create-note", { title: "x" }), command("update-note", { body: "y" })]).body, "y");
});

test("words, previews, titles and tags are what the services make of them", () => {
  assert.deepEqual(digestOf("a\u2003b\x1cc \ufeff"), { preview: "a\u2003b\x1cc \ufeff", word_count: 4 });
  assert.equal(Array.from(digestOf("🥖".repeat(150)).preview).length, 100);
  assert.equal(trimmed("\u2003 a b \n"), "a b");
  assert.equal(asTag(" #Kitchen "), "kitchen");
  assert.equal(asTag("-x"), null);
  assert.equal(asTag("a".repeat(33)), null);
});
