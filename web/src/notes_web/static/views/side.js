// The side: a new note, search, what to show, and the tags.

import { createNote } from "../actions.js";
import { mayWrite } from "../auth.js";
import { html, useEffect, useRef } from "../html.js";
import { filters, shownTags } from "../lists.js";
import { go, goChosen, goNote, route } from "../router.js";
import { theme, nextTheme } from "../theme.js";
import { Account, Connection, Needs, OperationsLink } from "./status.js";
import { help } from "./help.js";
import { Icon } from "./icons.js";

const TYPING_MS = 120;

/** Make a note, with the chosen tag, and open it with its title to be written. */
export function newNote(event) {
  const { tag } = route.peek();
  const id = createNote(tag ? [tag] : [], event);
  if (route.peek().q || route.peek().status === "archived") go(`/notes/${id}`);
  else goNote(id);
}

export function Side({ config }) {
  return html`
    <nav class="side" aria-label="Notes">
      <header class="brand">
        <a href="/" class="name"><${Icon} name="note" size="22" /> Notes</a>
        <button class="quiet icon-only" onClick=${nextTheme} aria-label="Colours: ${theme.value}" title="Colours: ${theme.value}">
          <${Icon} name="sun" /></button>
        <button class="quiet icon-only" onClick=${() => { help.value = true; }} aria-label="Keys" title="Keys (?)">
          <${Icon} name="keys" /></button>
      </header>
      <button class="primary new" data-testid="new-note" disabled=${!mayWrite.value} onClick=${newNote} title="New note (n)">
        <${Icon} name="plus" /> New note</button>
      <${Search} />
      <${Statuses} />
      <${Tags} />
      <footer>
        <${Needs} />
        <${OperationsLink} />
        <${Connection} />
        <${Account} config=${config} />
      </footer>
    </nav>`;
}

function Search() {
  const box = useRef();
  const timer = useRef(0);
  const { q } = route.value;
  // The address may change by the back button; what is being typed is never replaced.
  useEffect(() => {
    if (document.activeElement !== box.current || q === "") {
      if (box.current.value.trim() !== q) box.current.value = q;
    }
  }, [q]);
  const search = () => {
    clearTimeout(timer.current);
    const text = box.current.value.trim();
    goChosen({ q: text }, { replace: route.peek().q !== "" && text !== "" });
  };
  return html`
    <search class="search">
      <${Icon} name="search" />
      <input ref=${box} id="search" type="search" data-testid="search" placeholder="Search" aria-label="Search notes"
        maxlength="256" autocomplete="off" title="Search (/)"
        onInput=${() => { clearTimeout(timer.current); timer.current = setTimeout(search, TYPING_MS); }}
        onKeyDown=${(event) => { if (event.key === "Enter") search(); }} />
    </search>`;
}

function Statuses() {
  const { status } = route.value;
  const choices = [["active", "Active"], ["archived", "Archived"], ["all", "All"]];
  return html`
    <div class="statuses" role="group" aria-label="Which notes">
      ${choices.map(([value, label]) => html`
        <button key=${value} aria-pressed=${status === value} onClick=${() => goChosen({ status: value })}>${label}</button>`)}
    </div>`;
}

function Tags() {
  const { tag } = filters.value;
  const found = shownTags.value;
  return html`
    <section class="tags" aria-label="Tags">
      <h2>Tags</h2>
      ${found.length === 0 && html`<p class="faint">None yet</p>`}
      <ul>
        ${found.slice(0, 200).map((one) => html`
          <li key=${one.tag}>
            <button class="row-button" data-testid="tag-filter" aria-pressed=${one.tag === tag}
              onClick=${() => goChosen({ tag: one.tag === tag ? "" : one.tag })}>
              <span class="hash" aria-hidden="true">#</span><span class="grow">${one.tag}</span>
              <span class="number">${one.count}</span></button>
          </li>`)}
      </ul>
    </section>`;
}
