// The list of notes, or what a search found: follows every change, and goes on while one scrolls.

import { html, useEffect, useRef } from "../html.js";
import { list, more, reload, shownIds } from "../lists.js";
import { addressOf, goChosen, route } from "../router.js";
import { viewOf } from "../store.js";
import { Icon } from "./icons.js";
import { ago } from "./times.js";

const SKELETON = Array.from({ length: 8 });

export function List() {
  const { q, tag, status } = route.value;
  const { state, problem, cursor, late } = list.value;
  const ids = shownIds.value;
  const title = q ? (tag ? `Found in #${tag}` : "Found") : tag ? `#${tag}` : { active: "Notes", archived: "Archived", all: "All notes" }[status];
  return html`
    <section class="list" aria-label="List of notes" aria-busy=${state === "loading"}>
      <header>
        <h2>${title}</h2>
        ${q && late >= 2 && html`<span class="faint">${Math.round(late)} s behind</span>`}
        ${(q || tag) && html`<button class="quiet" onClick=${() => goChosen({ q: "", tag: "", status: "active" })}>
          <${Icon} name="close" size="14" /> Clear</button>`}
      </header>
      ${state === "error" && html`
        <p class="problem" role="alert">${problem.message}
          <button onClick=${() => reload()}>Try again</button></p>`}
      <div class="scroll">
        <ol data-testid="note-list">
          ${ids.map((id) => html`<${Row} key=${id} id=${id} />`)}
          ${state === "loading" && ids.length === 0 && SKELETON.map((_, at) => html`<li key=${`blank-${at}`} class="row skeleton" aria-hidden="true"><i /><i /></li>`)}
        </ol>
        ${state === "ready" && ids.length === 0 && html`<${Empty} q=${q} tag=${tag} status=${status} />`}
        ${cursor && state !== "error" && html`<${More} />`}
      </div>
    </section>`;
}

function Row({ id }) {
  const { note, pending } = viewOf(id).value;
  const { id: open, q, tag, status } = route.value;
  const snippet = q ? list.value.snippets.get(id) : null;
  if (!note) return null;
  const mine = pending.some((one) => one.state === "conflict") ? "conflict" : pending.length ? "pending" : "";
  return html`
    <li class="row" data-testid="note-row" data-note-id=${id} data-version=${note.version} data-mine=${mine}>
      <a href=${addressOf({ id, q, tag, status })} aria-current=${open === id ? "page" : null}>
        <span class="title" dir="auto">${note.title}</span>
        ${snippet !== null && snippet !== undefined
          ? html`<span class="snippet" dir="auto"><${Marked} text=${snippet} words=${q} /></span>`
          : html`<span class="tags">${note.tags.length ? note.tags.map((one) => html`<span key=${one}>#${one}</span> `) : html`<span class="none">no tags</span>`}</span>`}
        <span class="when">${note.status === "archived" ? "archived · " : ""}${ago(note.updated_at)}</span>
        <span class="state" aria-label=${{ conflict: "needs a choice", pending: "on its way" }[mine]}></span>
      </a>
    </li>`;
}

const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** A snippet with the words that were searched for marked. Text only: nothing of it becomes HTML. */
function Marked({ text, words }) {
  const wanted = folded(words).match(/[\p{L}\p{N}]+/gu) ?? [];
  return text.split(/([\p{L}\p{M}\p{N}]+)/u).map((part, at) => {
    const hit = at % 2 === 1 && wanted.some((word) => folded(part).startsWith(word.slice(0, Math.max(3, word.length - 2))));
    return hit ? html`<mark key=${at}>${part}</mark>` : part;
  });
}

function Empty({ q, tag, status }) {
  if (q) {
    const where = [tag && `with the tag #${tag}`, status !== "all" && `among the ${status} ones`].filter(Boolean).join(" ");
    return html`<p class="blank">Nothing was found for “${q}”${where && ` ${where}`}.</p>`;
  }
  if (tag) return html`<p class="blank">No note has the tag #${tag}.</p>`;
  return html`<p class="blank">${status === "archived" ? "Nothing is archived." : html`No notes yet. Press <kbd>n</kbd> to write the first.`}</p>`;
}

/** Reads the next page when the end of the list comes near. */
function More() {
  const mark = useRef();
  const { ids, state } = list.value;
  useEffect(() => {
    const watch = new IntersectionObserver((entries) => { if (entries.some((one) => one.isIntersecting)) more(); },
      { root: mark.current.closest(".scroll"), rootMargin: "600px" });
    watch.observe(mark.current);
    return () => watch.disconnect();
  }, [ids.length, state]);
  return html`<p ref=${mark} class="more" data-testid="load-more"><button class="quiet" onClick=${() => more()}>More</button></p>`;
}
