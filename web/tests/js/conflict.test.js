import assert from "node:assert/strict";
import { test } from "node:test";

import { difference, keepMine, settle, withTheirs } from "../../src/notes_web/static/conflict.js";

const MINE = { id: "c1", note_id: "n", name: "update-note", data: { note_id: "n", body: "mine" }, state: "sending", attempts: 1,
  base: { version: 3, value: "before" } };

const settled = (command, present, ...later) => settle([command, ...later], command.id, present, "c2");
const LATER = { ...MINE, id: "c9", data: { note_id: "n", body: "mine, and more" }, state: "waiting", attempts: 0, base: { version: 3, value: "mine" } };

test("a change to something else is passed over: the same text, based on the present version, under a new id", () => {
  const [again, ...rest] = settled(MINE, { version: 5, body: "before", title: "new" });
  assert.deepEqual(rest, []);
  assert.equal(again.id, "c2");
  assert.equal(again.state, "waiting");
  assert.equal(again.attempts, 0);
  assert.deepEqual(again.base, { version: 5, value: "before" });
  assert.equal(again.data.body, "mine");
});

test("the same text by somebody else leaves nothing to do", () => {
  assert.deepEqual(settled(MINE, { version: 5, body: "mine" }), []);
});

test("another's text is a conflict, with theirs beside mine", () => {
  const [open] = settled(MINE, { version: 5, body: "theirs" });
  assert.equal(open.state, "conflict");
  assert.equal(open.data.body, "mine");
  assert.deepEqual(open.theirs, { version: 5, value: "theirs" });
});

test("a title is compared with a title", () => {
  const rename = { ...MINE, name: "rename-note", data: { title: "mine" } };
  assert.equal(settled(rename, { version: 5, title: "theirs", body: "before" })[0].state, "conflict");
  assert.equal(settled(rename, { version: 5, title: "before", body: "theirs" })[0].state, "waiting");
});

test("what was typed meanwhile is taken in, and never lost", () => {
  for (const body of ["before", "mine"]) {
    const [again, ...rest] = settled(MINE, { version: 5, body }, LATER);
    assert.deepEqual(rest, []);
    assert.equal(again.data.body, "mine, and more");
    assert.deepEqual(again.base, { version: 5, value: body });
  }
  const [open, ...rest] = settled(MINE, { version: 5, body: "theirs" }, LATER);
  assert.deepEqual(rest, []);
  assert.equal(open.data.body, "mine, and more");
});

test("commands of other notes, and others of this one, stay", () => {
  const tag = { ...MINE, id: "c8", name: "tag-note", data: { tag: "a" }, state: "waiting", base: undefined };
  const other = { ...LATER, note_id: "m" };
  assert.deepEqual(settled(MINE, { version: 5, body: "theirs" }, tag, other).slice(1), [tag, other]);
});

test("an open conflict follows what the others write, and never goes back", () => {
  const [open] = settled(MINE, { version: 5, body: "theirs" });
  const later = withTheirs(open, { version: 6, body: "theirs, more" });
  assert.deepEqual(later.theirs, { version: 6, value: "theirs, more" });
  assert.equal(withTheirs(later, { version: 5, body: "theirs" }), later);
  assert.equal(withTheirs(later, { version: 7 }), later, "a row of a list has no text");
  assert.equal(withTheirs(MINE, { version: 7, body: "x" }), MINE);
});

test("keeping mine replaces theirs, which was seen, and nothing later", () => {
  const [open] = settled(MINE, { version: 5, body: "theirs" });
  const chosen = keepMine(open, "c3");
  assert.equal(chosen.base.version, 5);
  assert.equal(chosen.base.value, "theirs");
  assert.equal(chosen.state, "waiting");
  assert.equal(chosen.theirs, undefined);
});

test("a difference shows both middles between what is the same", () => {
  assert.deepEqual(difference("a b c d", "a x c d"), [
    { text: "a ", kind: "same" }, { text: "b", kind: "mine" }, { text: "x", kind: "theirs" }, { text: " c d", kind: "same" },
  ]);
  assert.deepEqual(difference("same", "same"), [{ text: "same", kind: "same" }]);
  assert.deepEqual(difference("", "x"), [{ text: "x", kind: "theirs" }]);
  for (const [mine, theirs] of [["a a", "a"], ["", ""], ["x y x", "x"], ["\n a", "a \n"]]) {
    const parts = difference(mine, theirs);
    assert.equal(parts.filter((one) => one.kind !== "theirs").map((one) => one.text).join(""), mine);
    assert.equal(parts.filter((one) => one.kind !== "mine").map((one) => one.text).join(""), theirs);
  }
});

test("one out of both is over the text that went into it, and nothing later", () => {
  const [open] = settled(MINE, { version: 5, body: "theirs" });
  const later = withTheirs(open, { version: 6, body: "theirs, more" });
  const mixed = keepMine(later, "c3", { text: "both", theirs: open.theirs });
  assert.equal(mixed.data.body, "both");
  assert.deepEqual(mixed.base, { version: 5, value: "theirs" });
});

test("who ended where they began leaves another's text", () => {
  assert.deepEqual(settled({ ...MINE, data: { note_id: "n", body: "before" } }, { version: 5, body: "theirs" }), []);
});
