import assert from "node:assert/strict";
import { test } from "node:test";

import "./browser.js";

const { go, route } = await import("../../src/notes_web/static/router.js");

test("a tag of an address is one as it is stored, or none", () => {
  for (const [address, tag] of [["/?tag=Upper", "upper"], ["/?tag=to%20do", ""], ["/?tag=home", "home"], ["/", ""]]) {
    go(address);
    assert.equal(route.peek().tag, tag, address);
  }
});

test("a note keeps what is chosen beside it", () => {
  go("/notes/3F0C0000-0000-4000-8000-000000000000?tag=home&status=archived");
  const { page, id, status } = route.peek();
  assert.deepEqual([page, id, status], ["note", "3f0c0000-0000-4000-8000-000000000000", "archived"]);
});

test("an address that begins with several slashes is one of this page", () => {
  const shown = [];
  history.pushState = (_, __, to) => shown.push(new URL(to, location.origin).href);
  for (const address of ["//", "///", "//elsewhere", "//elsewhere/notes", "/\\elsewhere"]) {
    go(address);
    assert.equal(route.peek().page, "lost", address);
  }
  assert.deepEqual(shown.map((url) => new URL(url).origin), Array(5).fill(location.origin));
});
