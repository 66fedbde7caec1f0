import assert from "node:assert/strict";
import { test } from "node:test";

import { json, services } from "./browser.js";

const STATIC = "../../src/notes_web/static";
const { config } = await import(`${STATIC}/api.js`);
const { person } = await import(`${STATIC}/auth.js`);
const queue = await import(`${STATIC}/queue.js`);
const { messages, queue: commands, say } = await import(`${STATIC}/store.js`);
const { effect } = await import(`${STATIC}/html.js`);
const { newId } = await import(`${STATIC}/ids.js`);
Object.assign(config, { command_url: "http://command", query_url: "http://query" });
navigator.locks = { request: async (name, run) => run(), query: async () => ({ held: [] }) };

test("outcomes that do not come hold no place that another note needs", { timeout: 20_000 }, async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const late = new Set(["a", "b", "c", "d"]);
  const asked = services(({ url, body }) => {
    if (url.includes("/commands/update-note")) {
      const { note_id } = JSON.parse(body);
      return late.has(note_id) ? json({ note_id }, 202) : json({ status: "accepted", version: 2 });
    }
    return json({ code: "note_not_found" }, 404);
  });
  person.value = { sub: null, name: null, scopes: null };
  await queue.beginSending();
  for (const note_id of [...late, "e"]) {
    queue.enqueue({ id: newId(), note_id, name: "update-note", data: { note_id, body: "x" }, made_at: "2026-01-02T03:05:00.000Z" });
  }
  await new Promise((resolve) => {
    const stop = effect(() => { if (commands.value.some((one) => one.note_id === "e" && one.state === "accepted")) queueMicrotask(() => { stop(); resolve(); }); });
  });
  assert.ok(asked.filter(({ url }) => url.includes("wait=")).length <= 4, "and are not asked for at full speed");
  assert.deepEqual(commands.peek().map((one) => one.state), ["sent", "sent", "sent", "sent", "accepted"]);
  person.value = false;
});

test("what can be undone stays, however many messages come after it", () => {
  const undo = { label: "Undo", run: () => {} };
  const close = [say("Deleted.", { key: "one", action: undo }), say("Deleted.", { key: "two", action: undo })];
  for (const text of ["a", "b", "c", "d", "d"]) say(text);
  assert.deepEqual(messages.peek().map((one) => one.text), ["Deleted.", "Deleted.", "b", "c", "d"]);
  for (const one of close) one();
  assert.deepEqual(messages.peek().map((one) => one.text), ["b", "c", "d"]);
});
