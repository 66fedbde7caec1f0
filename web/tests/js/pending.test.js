import assert from "node:assert/strict";
import { test } from "node:test";

import { fold } from "../../src/notes_web/static/fold.js";
import * as pending from "../../src/notes_web/static/pending.js";

let count = 0;
const make = (name, data = {}, more = {}) => ({ id: `c${(count += 1)}`, note_id: "n", name, data: { note_id: "n", ...data },
  made_at: "2026-01-02T03:05:00.000Z", not_before: 100, state: "waiting", attempts: 0, reason: null, ...more });
const text = (body, version = 3, more = {}) => make("update-note", { body }, { base: { version, value: "before" }, ...more });
const all = (...commands) => commands.reduce(pending.add, []);

test("typing goes on in one command, under its first id, until that is sent", () => {
  const first = text("a", 3, { latest: 2_000 });
  const queue = all(first, text("ab", 3, { not_before: 400 }), text("abc", 3, { not_before: 9_000 }));
  assert.equal(queue.length, 1);
  assert.equal(queue[0].id, first.id);
  assert.equal(queue[0].data.body, "abc");
  assert.equal(queue[0].base.value, "before");
  assert.equal(queue[0].not_before, 2_000, "not for ever");
});

test("what was sent keeps its id and its data; typing goes on in another command", () => {
  let queue = all(text("a"));
  queue = pending.sending(queue, queue[0].id);
  queue = pending.again(queue, queue[0].id, 5, "no connection");
  queue = pending.add(queue, text("ab"));
  assert.deepEqual(queue.map((one) => one.data.body), ["a", "ab"]);
  assert.deepEqual(pending.sendable(queue, 1_000).map((one) => one.data.body), ["a"], "the first id again, alone");
});

test("what is done to a note that was not sent yet becomes part of its creation", () => {
  const queue = all(make("create-note", { title: "Untitled", body: "", tags: [] }), make("rename-note", { title: "Bread" }),
    text("Flour"), make("tag-note", { tag: "a" }), make("tag-note", { tag: "b" }), make("untag-note", { tag: "a" }));
  assert.equal(queue.length, 1);
  assert.deepEqual(queue[0].data, { note_id: "n", title: "Bread", body: "Flour", tags: ["b"] });
  assert.deepEqual(pending.add(queue, make("delete-note")), []);
});

test("a note's commands go one after the other, those of other notes beside them", () => {
  const other = make("archive-note", {}, { note_id: "m" });
  let queue = all(make("tag-note", { tag: "a" }), make("tag-note", { tag: "b" }), other);
  assert.deepEqual(pending.sendable(queue, 100).map((one) => one.id), [queue[0].id, other.id]);
  assert.deepEqual(pending.sendable(queue, 99), []);
  assert.equal(pending.nextAt(queue, 99), 100);
  queue = pending.sending(queue, queue[0].id);
  assert.deepEqual(pending.sendable(queue, 100).map((one) => one.id), [other.id]);
  queue = pending.accepted(queue, queue[0].id, 4);
  assert.deepEqual(pending.sendable(queue, 100).map((one) => one.id), [queue[1].id, other.id]);
});

test("a text on top of an accepted one is based on its version", () => {
  let queue = [text("a"), text("ab")];
  queue = pending.accepted(pending.sending(queue, queue[0].id), queue[0].id, 4);
  assert.equal(pending.dataToSend(queue[1]).expected_version, 4);
});

test("a text is not based on what somebody else wrote in between", () => {
  const queue = [make("tag-note", { tag: "a" }), text("ab")];
  const after = pending.accepted(queue, queue[0].id, 5); // version 4 is another's
  assert.equal(pending.dataToSend(after[1]).expected_version, 3);
});

test("the version that a person sees counts their accepted commands, without gaps", () => {
  const done = (version) => make("tag-note", { tag: "a" }, { state: "accepted", version });
  assert.equal(pending.seenVersion({ version: 3 }, [done(4), done(5)]), 5);
  assert.equal(pending.seenVersion({ version: 3 }, [done(5)]), 3);
  assert.equal(pending.seenVersion(undefined, [done(1)]), 1);
});

test("a command leaves when the document has its version, and not before", () => {
  let queue = [text("a"), text("ab")];
  assert.equal(pending.shownBy(queue, { id: "n", version: 9 }).length, 2, "no outcome yet");
  queue = pending.accepted(queue, queue[0].id, 4);
  assert.equal(pending.shownBy(queue, { id: "n", version: 3 }).length, 2);
  assert.equal(pending.shownBy(queue, { id: "other", version: 4 }).length, 2);
  assert.deepEqual(pending.shownBy(queue, { id: "n", version: 4 }).map((one) => one.data.body), ["ab"]);
});

test("what is shown is the same right before and right after a command leaves", () => {
  const before = { id: "n", status: "active", title: "t", body: "before", tags: [], version: 3, updated_at: null };
  const queue = pending.accepted([text("a"), text("ab")].map((one) => one), `c${count - 1}`, 4);
  const after = { ...before, body: "a", version: 4 };
  const shown = fold(before, pending.ofNote(queue, "n"));
  const then = fold(after, pending.ofNote(pending.shownBy(queue, after), "n"));
  assert.deepEqual([then.body, then.version], [shown.body, shown.version]);
});

test("what was refused is not shown, and is kept for the person who wrote it", () => {
  const queue = pending.rejected([text("a"), text("ab")], `c${count - 1}`, "archived");
  assert.deepEqual(pending.ofNote(queue, "n").map((one) => one.data.body), ["ab"]);
  assert.equal(queue[0].reason, "archived");
  assert.equal(queue[0].data.body, "a");
});

test("what was done to a note that was never made is refused with it", () => {
  const create = make("create-note", { title: "t", tags: [] }, { attempts: 1 });
  const queue = pending.rejected([create, text("a")], create.id, "no");
  assert.ok(queue.every((one) => one.state === "rejected"));
});

test("in a conflict typing goes on in the text that has to be chosen, and nothing is sent", () => {
  const open = text("mine", 3, { state: "conflict", theirs: { version: 5, value: "theirs" } });
  const queue = pending.add([open], text("mine!"));
  assert.equal(queue.length, 1);
  assert.equal(queue[0].data.body, "mine!");
  assert.equal(queue[0].state, "conflict");
  assert.deepEqual(pending.sendable(queue, 1e9), []);
});

test("a choice that is open holds nothing up that deletes the note, and ends with it", () => {
  const open = text("mine", 3, { state: "conflict", theirs: { version: 5, value: "theirs" } });
  const queue = pending.add([open], make("delete-note"));
  assert.deepEqual(pending.sendable(queue, 1e9).map((one) => one.name), ["delete-note"]);
  assert.equal(pending.shownBy([open], { id: "n", version: 6, status: "active" })[0].state, "conflict");
  const [kept] = pending.shownBy([open], { id: "n", version: 6, status: "deleted" });
  assert.deepEqual([kept.state, kept.data.body], ["rejected", "mine"]);
});

test("only what was never sent can be undone", () => {
  const [command] = all(make("delete-note"));
  assert.ok(pending.canUndo(command));
  assert.ok(!pending.canUndo(pending.again(pending.sending([command], command.id), command.id, 0, "?")[0]));
});

test("a text is based on what the person saw, where another has changed it since", () => {
  const now = { version: 3, value: "theirs" };
  assert.equal(pending.seenBase(now, { version: 2, value: "before" }).version, 2);
  assert.equal(pending.seenBase(now, { version: 2, value: "theirs" }), now, "only other parts were changed");
  assert.equal(pending.seenBase(now, null), now);
});

test("what waits for longer than anything does is due: the clock was set back", () => {
  const queue = all(make("tag-note", { tag: "a" }, { not_before: 3_600_000, attempts: 1 }));
  assert.equal(pending.sendable(queue, 0).length, 1);
  assert.equal(pending.nextAt(queue, 0), Infinity);
  assert.equal(pending.sendable(queue, 3_590_000).length, 0);
  assert.equal(pending.nextAt(queue, 3_590_000), 3_600_000);
});

test("whoever hurries has all sent, also what was tried, but not what can be taken back", () => {
  const queue = [text("a", 3, { attempts: 2, not_before: 9_000 }), make("delete-note", {}, { note_id: "m", not_before: 9_000 })];
  assert.deepEqual(pending.hurried(queue).map((one) => one.not_before), [0, 9_000]);
  assert.deepEqual(pending.hurried(queue, true).map((one) => one.not_before), [0, 0]);
});

test("an outcome that is late is asked for from time to time, and the command is sent once more", () => {
  let [command] = pending.sending([text("a")], `c${count}`);
  [command] = pending.sent([command], command.id, 500);
  assert.deepEqual(pending.sendable([command], 499), []);
  assert.equal(pending.nextAt([command], 499), 500);
  assert.deepEqual(pending.sendable([command], 500), [command]);
  assert.equal(command.asked, 1);
  assert.equal(pending.again([command], command.id, 900, "")[0].asked, 0);
});
