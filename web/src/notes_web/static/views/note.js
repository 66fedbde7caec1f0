// One note: title, tags and text, each to be changed where it stands; below it the way of each write, and the history.

import { archive, removeTag, addTag, fits, rename, editBody, remove, restore } from "../actions.js";
import { mayWrite, person } from "../auth.js";
import { html, signal, useEffect, useLayoutEffect, useRef, useState } from "../html.js";
import { seenVersion } from "../pending.js";
import { openNote, refresh, troubles, watched } from "../reads.js";
import { addressOf, go, route } from "../router.js";
import { queue, viewOf } from "../store.js";
import { moved } from "../text.js";
import { Conflict, Refused } from "./choice.js";
import { History, showingHistory } from "./history.js";
import { Icon } from "./icons.js";
import { Preview } from "./lazy.js";
import { ago, exact } from "./times.js";
import { Writes } from "./writes.js";

export const previewing = signal(false);

export function Note({ id }) {
  const signedIn = Boolean(person.value);
  useEffect(() => {
    if (!signedIn) return undefined;
    openNote(id);
    showingHistory.value = false;
    previewing.value = false;
    // On a narrow screen the list goes when a note comes, and what had the focus with it.
    focusIfLost("#note");
    return () => {
      if (watched.open === id) watched.open = null;
      if (route.peek().id === null) focusIfLost(`[data-note-id="${id}"] a`);
    };
  }, [id, signedIn]);
  const { note, pending, document } = viewOf(id).value;
  const refused = queue.value.filter((one) => one.note_id === id && one.state === "rejected");
  const problem = troubles.value.get(id);
  if (!note || note.status === "unknown") return html`<${Missing} id=${id} problem=${problem} refused=${refused} />`;
  if (note.status === "deleted") return html`<${Gone} refused=${refused} />`;
  const version = seenVersion(document, pending);
  const readOnly = note.status === "archived" || !mayWrite.value;
  return html`
    <article class="note" data-version=${document?.version ?? 0} data-pending=${pending.length}>
      <${Bar} id=${id} note=${note} />
      ${note.status === "archived" && html`<p class="strip">This note is archived: it can be read, restored and deleted.</p>`}
      <${Refused} commands=${refused} />
      <${Title} id=${id} title=${note.title} version=${version} readOnly=${readOnly} />
      <p class="facts"><span title=${exact(note.updated_at)}>Changed ${ago(note.updated_at)}</span>
        ${note.author && html`<span>by ${note.author}</span>`}
        <span class="words">${note.word_count ?? "–"} ${note.word_count === 1 ? "word" : "words"}</span>
        <span class="version">v${document?.version ?? 0}</span></p>
      <${Tags} id=${id} tags=${note.tags} readOnly=${readOnly} />
      <${Conflict} pending=${pending} />
      <${Body} id=${id} note=${note} version=${version} problem=${problem} readOnly=${readOnly} />
      ${showingHistory.value && html`<${History} id=${id} version=${document?.version} />`}
      <${Writes} id=${id} />
    </article>`;
}

const focusIfLost = (selector) => requestAnimationFrame(() => requestAnimationFrame(() => {
  if (window.document.activeElement === window.document.body) window.document.querySelector(selector)?.focus({ preventScroll: true });
}));

function Bar({ id, note }) {
  const archived = note.status === "archived";
  const closed = addressOf({ ...route.value, id: null });
  const deleted = (event) => {
    remove(id, event);
    go(closed);
  };
  return html`
    <div class="bar" role="toolbar" aria-label="Note">
      <a class="button quiet back" href=${closed} aria-label="Notes: back to the list"><${Icon} name="back" /> Notes</a>
      <span class="grow"></span>
      <button class="quiet" aria-pressed=${previewing.value} data-testid="preview-toggle" title="Preview (p)"
        onClick=${() => { previewing.value = !previewing.value; }}>
        <${Icon} name=${previewing.value ? "pen" : "eye"} /> <span class="label">${previewing.value ? "Write" : "Preview"}</span></button>
      <button class="quiet" aria-pressed=${showingHistory.value} data-testid="history-toggle" title="History"
        onClick=${() => { showingHistory.value = !showingHistory.value; }}><${Icon} name="clock" /> <span class="label">History</span></button>
      ${archived
        ? html`<button class="quiet" data-testid="restore" disabled=${!mayWrite.value} title="Restore (a)" onClick=${(event) => restore(id, event)}>
            <${Icon} name="restore" /> <span class="label">Restore</span></button>`
        : html`<button class="quiet" data-testid="archive" disabled=${!mayWrite.value} title="Archive (a)" onClick=${(event) => archive(id, event)}>
            <${Icon} name="archive" /> <span class="label">Archive</span></button>`}
      <button class="quiet danger" data-testid="delete" disabled=${!mayWrite.value} title="Delete (#)" onClick=${deleted}>
        <${Icon} name="trash" /> <span class="label">Delete</span></button>
    </div>`;
}

/**
 * A field that holds what is shown, and never touches what a person is writing but where others have changed it. `text`
 * null: it stays as it is. `now`: {version, value} of what is shown. Return `base()`, that of what is in the field:
 * another's text that came meanwhile is not replaced unseen; and `again`, which looks once more.
 */
function useText(box, text, now) {
  const composing = useRef(false);
  const base = useRef(null);
  const [, paint] = useState(0);
  const again = () => paint((count) => count + 1);
  useLayoutEffect(() => {
    const field = box.current;
    if (!field || text === null) return;
    if (field.value !== text) {
      if (composing.current) return;
      const { selectionStart, selectionEnd } = field;
      const before = field.value;
      field.value = text;
      if (document.activeElement === field) {
        field.setSelectionRange(moved(before, text, selectionStart), moved(before, text, selectionEnd));
      }
    }
    base.current = now;
  });
  const handlers = {
    onCompositionStart: () => { composing.current = true; },
    onCompositionEnd: () => { composing.current = false; again(); },
  };
  return { handlers, again, base: () => base.current };
}

function Title({ id, title, version, readOnly }) {
  const box = useRef();
  const empty = useRef(false);
  const { handlers, again, base } = useText(box, empty.current ? null : kept(box.current?.value, title), { version, value: title });
  useEffect(() => {
    // A note that was just made: its title is the first thing to be written.
    if (title === "Untitled" && viewOf(id).peek().document === undefined) {
      box.current.focus();
      box.current.select();
    }
  }, [id]);
  const write = (event) => {
    const { value } = event.target;
    empty.current = value.trim() === "";
    if (fits("title", value.trim())) rename(id, value, event, base());
    else again();
  };
  return html`
    <input ref=${box} id="title" class="title" data-testid="title" aria-label="Title" dir="auto" readonly=${readOnly}
      autocomplete="off" spellcheck="true" ...${handlers}
      onInput=${write}
      onBlur=${(event) => { empty.current = false; event.target.value = viewOf(id).peek().note?.title ?? ""; again(); }}
      onKeyDown=${(event) => { if (event.key === "Enter") { event.preventDefault(); document.getElementById("body")?.focus(); } }} />`;
}

// Spaces at the edges are not part of a title, but of what is being written.
const kept = (written, title) => (written !== undefined && written.trim() === title ? written : title);

function Tags({ id, tags, readOnly }) {
  const keyDown = (event) => {
    const box = event.target;
    if ((event.key === "Enter" || event.key === "," || event.key === " ") && box.value.trim()) {
      event.preventDefault();
      if (addTag(id, box.value, event)) box.value = "";
    } else if (event.key === "Backspace" && box.value === "" && tags.length) {
      removeTag(id, tags.at(-1), event);
    }
  };
  return html`
    <ul class="chips" aria-label="Tags">
      ${tags.map((one) => html`
        <li key=${one} data-testid="tag">#${one}
          ${!readOnly && html`<button class="quiet icon-only" aria-label="Take off the tag ${one}" onClick=${(event) => removeTag(id, one, event)}>
            <${Icon} name="close" size="12" /></button>`}</li>`)}
      ${!readOnly && html`<li class="add"><input id="add-tag" data-testid="add-tag" placeholder="Add a tag" aria-label="Add a tag" maxlength="33"
        autocomplete="off" autocapitalize="none" enterkeyhint="done" onKeyDown=${keyDown} /></li>`}
    </ul>`;
}

function Body({ id, note, version, problem, readOnly }) {
  const box = useRef();
  const text = note.body?.replace(/\r\n?/g, "\n");
  const { handlers, again, base } = useText(box, text ?? "", { version, value: note.body });
  if (previewing.value && text !== undefined) return html`<${Preview} text=${text} />`;
  if (text === undefined) {
    return problem
      ? html`<p class="problem" role="alert">The text could not be read: ${problem.message} <button onClick=${() => refresh(id)}>Try again</button></p>`
      : html`<div class="body skeleton" aria-busy="true" aria-label="Loading"><i /><i /><i /></div>`;
  }
  return html`
    <textarea ref=${box} id="body" class="body" data-testid="body" aria-label="Text" dir="auto" readonly=${readOnly}
      placeholder=${readOnly ? "No text" : "Write …  Markdown is understood."} spellcheck="true" ...${handlers}
      onInput=${(event) => { if (fits("body", event.target.value)) editBody(id, event.target.value, event, base()); else again(); }}></textarea>`;
}

function Missing({ id, problem, refused }) {
  if (refused.length && !problem) return html`<div class="blank"><${Refused} commands=${refused} /></div>`;
  if (problem?.status === 404 || problem?.status === 422) {
    return html`<div class="blank"><${Refused} commands=${refused} /><h2>This note is not here</h2>
      <p>It may not have arrived yet: if it does, it appears by itself.</p><p><a href="/">All notes</a></p></div>`;
  }
  if (problem?.status === 410) return html`<${Gone} refused=${refused} />`;
  if (problem) {
    return html`<div class="blank"><h2>The note could not be read</h2><p role="alert">${problem.message}</p>
      <button onClick=${() => refresh(id)}>Try again</button></div>`;
  }
  return html`<div class="note loading" aria-busy="true" aria-label="Loading"><div class="skeleton tall"><i /><i /><i /></div></div>`;
}

const Gone = ({ refused }) => html`
  <div class="blank"><${Refused} commands=${refused} /><${Icon} name="trash" size="36" /><h2>This note is deleted</h2>
    <p>Its text is gone on both sides, for good.</p><p><a href="/">All notes</a></p></div>`;
