import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";

const CODE = readFileSync(new URL("../../src/notes_web/static/sw.js", import.meta.url), "utf-8");
const PAGE = "http://page";
const KEPT = { "Cache-Control": "public, max-age=31536000, immutable", "Content-Type": "text/javascript" };
const ASKED_AGAIN = { ...KEPT, "Cache-Control": "no-cache" };
const MINE = `${PAGE}/static/mine/main.js`;
const ROOT = `${PAGE}/`;
const HTML = { "Content-Type": "text/html; charset=utf-8" };
const OTHERS = `${PAGE}/static/others/main.js`;

/** Start the worker where `answers` has the headers of each address, and `texts` some texts; one without any has no network. */
function worker(answers, texts = {}) {
  const kept = new Map();
  const handlers = {};
  const whole = (key) => new URL(key.url ?? key, PAGE).href;
  const cache = {
    match: async (key) => kept.get(whole(key)),
    put: async (key, answer) => { kept.set(whole(key), answer); },
    add: async (key) => { kept.set(whole(key), await fetch(key)); },
    keys: async () => [...kept.keys()].map((url) => ({ url })),
    delete: async (key) => kept.delete(whole(key)),
  };
  const fetch = async (key) => {
    const headers = answers[whole(key)];
    if (!headers) throw new TypeError("no network");
    return new Response(texts[whole(key)] ?? `of ${whole(key)}`, { headers });
  };
  const self = { location: { origin: PAGE }, addEventListener: (name, handler) => { handlers[name] = handler; } };
  runInContext(CODE, createContext({ self, URL, Set, Promise, fetch, caches: { open: async () => cache, match: cache.match } }));
  const handle = async (name, event) => {
    let done;
    handlers[name]({ ...event, waitUntil: (promise) => { done = promise; }, respondWith: (promise) => { done = promise; } });
    return done;
  };
  return {
    kept, answers,
    load: (files) => handle("message", { data: { files } }),
    get: async (url, mode = "cors") => (await handle("fetch", { request: { url, mode, method: "GET" } }))?.text(),
  };
}

test("a file is kept under its address, and answered without asking", async () => {
  const { get, kept, answers } = worker({ [MINE]: KEPT });
  assert.equal(await get(MINE), `of ${MINE}`);
  assert.deepEqual([...kept.keys()], [MINE]);
  delete answers[MINE];
  assert.equal(await kept.get(MINE).clone().text(), `of ${MINE}`);
  assert.equal(await get(MINE), `of ${MINE}`);
});

test("the file of another release, by a server that has not the one asked for, is used and not kept", async () => {
  const { get, kept } = worker({ [OTHERS]: ASKED_AGAIN });
  assert.equal(await get(OTHERS), `of ${OTHERS}`);
  assert.deepEqual([...kept.keys()], []);
});

test("of what a first visit has loaded, the files of another release are not kept either", async () => {
  const second = MINE.replace("main", "second");
  const { load, kept } = worker({ [MINE]: KEPT, [second]: ASKED_AGAIN });
  await load([MINE, second, `${PAGE}/static/mine/gone.js`]);
  assert.deepEqual([...kept.keys()], [MINE]);
});

test("a release that was loaded takes the place of the one before", async () => {
  const texts = { [ROOT]: `<script src="${OTHERS}">` };
  const { load, kept } = worker({ [MINE]: KEPT, [OTHERS]: KEPT, [ROOT]: HTML }, texts);
  await load([OTHERS]);
  assert.deepEqual([...kept.keys()], [OTHERS, ROOT]);
  texts[ROOT] = `<script src="${MINE}">`;
  await load([MINE]);
  assert.deepEqual([...kept.keys()].sort(), [ROOT, MINE]);
  assert.equal(await kept.get(ROOT).text(), texts[ROOT]);
});

test("a page whose files do not come takes no other's place", async () => {
  const texts = { [ROOT]: `<script src="${OTHERS}">` };
  const { get, load, kept } = worker({ [OTHERS]: KEPT, [ROOT]: HTML }, texts);
  await load([OTHERS]);
  texts[ROOT] = `<script src="${MINE}">`;
  assert.equal(await get(ROOT, "navigate"), texts[ROOT]);
  await load([MINE]);
  assert.deepEqual([...kept.keys()], [OTHERS, ROOT]);
  assert.equal(await kept.get(ROOT).text(), `<script src="${OTHERS}">`);
});

test("the page of a third release, which came in between, is not kept with these files", async () => {
  const { load, kept } = worker({ [MINE]: KEPT, [ROOT]: HTML }, { [ROOT]: `<script src="${OTHERS}">` });
  await load([MINE]);
  assert.deepEqual([...kept.keys()], [MINE]);
});

test("a page is the page without a network, and whatever else was opened in a tab is not", async () => {
  const note = `${PAGE}/notes/1`;
  const texts = { [ROOT]: `<script src="${MINE}">` };
  const { get, load, kept, answers } = worker({ [MINE]: KEPT, [ROOT]: HTML, [note]: HTML, [`${PAGE}/livez`]: { "Content-Type": "application/json" } }, texts);
  await load([MINE]);
  assert.equal(await get(note, "navigate"), `of ${note}`);
  assert.equal(await get(`${PAGE}/livez`, "navigate"), `of ${PAGE}/livez`);
  assert.deepEqual([...kept.keys()], [MINE, ROOT]);
  delete answers[note];
  assert.equal(await get(note, "navigate"), texts[ROOT]);
});

test("the configuration is that of the last visit, and no page that stood in its place", async () => {
  const url = `${PAGE}/config.json`;
  const { get, kept, answers } = worker({ [url]: { "Content-Type": "application/json" } });
  await get(url);
  const before = kept.get(url);
  answers[url] = { "Content-Type": "text/html" }; // of a network that wants a log-in first
  await get(url);
  assert.equal(kept.get(url), before);
});
