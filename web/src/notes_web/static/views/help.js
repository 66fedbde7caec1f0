// Every key, in one place: the table is what the shortcuts are made of, and what is shown.

import { archive, remove, restore } from "../actions.js";
import { mayAdminister, mayWrite } from "../auth.js";
import { html, signal, useEffect, useRef } from "../html.js";
import { neighbour } from "../lists.js";
import { flush } from "../queue.js";
import { addressOf, go, goNote, route } from "../router.js";
import { viewOf } from "../store.js";
import { previewing } from "./note.js";
import { newNote } from "./side.js";

export const help = signal(false);

const focus = (selector) => document.querySelector(selector)?.focus();
const step = (by) => () => {
  const id = neighbour(route.peek().id, by);
  if (!id) return;
  goNote(id, { replace: route.peek().id !== null });
  requestAnimationFrame(() => document.querySelector(`[data-note-id="${id}"]`)?.scrollIntoView({ block: "nearest" }));
};
const ofNote = (run) => (event) => {
  const { id } = route.peek();
  if (id && mayWrite.peek()) run(id, event);
};

const KEYS = [
  ["n", "New note", (event) => mayWrite.peek() && newNote(event)],
  ["/", "Search", () => focus("#search")],
  ["j", "Next note", step(1)],
  ["k", "Previous note", step(-1)],
  ["e", "Write in the note", () => { previewing.value = false; requestAnimationFrame(() => focus("#body")); }],
  ["r", "Rename the note", () => focus("#title")],
  ["t", "Add a tag", () => focus("#add-tag")],
  ["p", "Preview, and back", () => { previewing.value = !previewing.value; }],
  ["a", "Archive, or restore", ofNote((id, event) =>
    (viewOf(id).peek().note?.status === "archived" ? restore(id, event) : archive(id, event)))],
  ["#", "Delete (can be undone for 6 s)", ofNote((id, event) => { remove(id, event); go(addressOf({ ...route.peek(), id: null })); })],
  ["o", "Operations", () => mayAdminister.peek() && go("/operations")],
  ["?", "This list", () => { help.value = !help.value; }],
];
const ALWAYS = [
  ["Esc", "Leave a field; then the note"],
  ["Ctrl S", "Send now what was written"],
];

/** Whether keys go into this element, and are no shortcuts there. */
const takesText = (element) => element?.matches?.("textarea, select, input:not([type=checkbox])") ?? false;

function pressed(event) {
  if (event.isComposing) return;
  if ((event.ctrlKey || event.metaKey) && event.key === "s") {
    event.preventDefault();
    flush();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    if (document.querySelector("#help[open], #question[open]")) return;
    if (takesText(document.activeElement)) {
      event.preventDefault(); // it would empty the search
      document.activeElement.blur();
    }
    else if (route.peek().id) go(addressOf({ ...route.peek(), id: null }));
    return;
  }
  if (takesText(event.target) || document.querySelector("#question[open]")) return;
  const found = KEYS.find(([key]) => key === event.key);
  if (!found) return;
  event.preventDefault();
  found[2](event);
}

export function listenToKeys() {
  addEventListener("keydown", pressed);
}

export function Help() {
  const dialog = useRef();
  useEffect(() => {
    if (help.value && !dialog.current.open) dialog.current.showModal();
    if (!help.value && dialog.current.open) dialog.current.close();
  }, [help.value]);
  return html`
    <dialog id="help" ref=${dialog} aria-labelledby="help-title" onClose=${() => { help.value = false; }}
      onClick=${(event) => { if (event.target === dialog.current) dialog.current.close(); }}>
      <h2 id="help-title">Keys</h2>
      <dl>${[...KEYS, ...ALWAYS].map(([key, what]) => html`<div key=${key}><dt>${key.split(" ").map((one) => html`<kbd>${one}</kbd>`)}</dt><dd>${what}</dd></div>`)}</dl>
      <button class="primary" onClick=${() => dialog.current.close()}>Close</button>
    </dialog>`;
}
