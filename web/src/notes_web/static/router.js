// Which page is shown: the address is where that is kept, so that every state can be linked to.

import { asTag } from "./fold.js";
import { computed, signal } from "./html.js";

const NOTE = /^\/notes\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;
const address = signal(location.pathname + location.search);

addEventListener("popstate", () => { address.value = location.pathname + location.search; });

/** {page: "list" | "note" | "operations" | "lost", id, q, tag, status} */
export const route = computed(() => {
  const { pathname, searchParams } = new URL(location.origin + address.value);
  const note = NOTE.exec(pathname);
  const status = searchParams.get("status");
  const chosen = {
    q: searchParams.get("q")?.slice(0, 256) ?? "",
    tag: asTag(searchParams.get("tag") ?? "") ?? "",
    status: ["active", "archived", "all"].includes(status) ? status : "active",
  };
  if (note) return { page: "note", id: note[1].toLowerCase(), ...chosen };
  if (pathname === "/operations") return { page: "operations", id: null, ...chosen };
  const known = ["/", "/search", "/callback"].includes(pathname);
  return { page: known ? "list" : "lost", id: null, ...chosen };
});

/** Return the address of a note, a choice of notes, or both. */
export function addressOf({ id = null, q = "", tag = "", status = "active" }) {
  const given = [["q", q], ["tag", tag], ["status", status === "active" ? "" : status]].filter(([, value]) => value);
  const path = id ? `/notes/${id}` : q ? "/search" : "/";
  return path + (given.length ? `?${new URLSearchParams(given)}` : "");
}

/** Go there. `replace`: the back button does not come back to where this was. */
export function go(to, { replace = false } = {}) {
  if (to === address.peek()) return;
  history[replace ? "replaceState" : "pushState"](null, "", location.origin + to); // `//x` alone would be a host
  address.value = to;
}

/** Go to a note and keep what is chosen. */
export const goNote = (id, options) => go(addressOf({ ...route.peek(), id }), options);

/** Change what is chosen. In a note on a wide screen the note stays open. */
export function goChosen(change, options) {
  const now = route.peek();
  go(addressOf({ ...now, id: null, ...change }), options);
}

/** Follow a link of ours without loading the page anew; leave clicks alone that ask for another tab. */
export function followed(event) {
  const link = event.target.closest?.("a[href]");
  if (!link || link.origin !== location.origin || link.target || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.defaultPrevented) return;
  event.preventDefault();
  go(link.pathname + link.search);
}
