// What happened to a note: who did it, and when. Read once; then the stream of changes tells what is new, and it is
// read who did it.

import { query } from "../api.js";
import { html, signal, useEffect, useRef, useState } from "../html.js";
import { onChange } from "../reads.js";
import { pauseAfter } from "../retry.js";
import { ago, exact } from "./times.js";

export const showingHistory = signal(false);

const WHAT = {
  "note-created": "created", "note-updated": "text changed", "note-renamed": "renamed", "note-tagged": "tag added",
  "note-untagged": "tag taken off", "note-archived": "archived", "note-restored": "restored",
  "note-snapshotted": "restored from a snapshot",
};
const nameOf = (type) => type.replace(/^notes\.event\./, "").replace(/\.v\d+$/, "");
const PAGE = 200;
const BEHIND_S = 1;
const LONGEST_S = 10;

/** Return `{items, late}`: the versions above `after`, the newest first, and by how many seconds they may be behind. Raises Problem. */
async function readAfter(id, after) {
  const items = [];
  let late = 0;
  for (let from = after; from !== null;) {
    const { data, headers } = await query(`/notes/${id}/history`, { limit: PAGE, after_version: from });
    items.push(...data.items);
    late = Number.parseFloat(headers.get("Projection-Lag") ?? "0");
    from = data.next_after_version;
  }
  return { items: items.reverse(), late };
}

/** Return one page of the versions before `before`, the newest first. Raises Problem. */
async function readBefore(id, before) {
  const after = Math.max(before - 1 - PAGE, 0);
  const { data } = await query(`/notes/${id}/history`, { limit: before - 1 - after, after_version: after });
  return data.items.reverse();
}

/** Follow the history of a note. `show(items, problem)` gets the newest first; those only told of have no `actor` yet. */
function follow(id, version, show) {
  let read = null;
  let told = [];
  let wanted = 0;
  let timer = 0;
  let tries = 0;
  let busy = false;
  let over = false;
  const newest = () => read?.[0]?.version ?? Math.max(version - PAGE, 0); // a note may have very many
  const paint = (problem = null) => show(read && [...told, ...read], problem);

  async function goOn() {
    if (busy || over) return;
    clearTimeout(timer);
    busy = true;
    let wait;
    try {
      const { items, late } = await readAfter(id, newest());
      tries = items.length ? 0 : tries + 1;
      read = [...items, ...(read ?? [])];
      told = told.filter((one) => one.version > newest());
      wait = Math.max(late, BEHIND_S * 2 ** tries);
      if (!over) paint();
    } catch (problem) {
      if (problem.status === 410) wanted = 0;
      tries += 1;
      wait = pauseAfter(tries, problem.retryAfter);
      if (!over) paint(problem);
    }
    busy = false;
    // The documents of the history come after the note itself: what is known of and not there yet is read once it may be.
    if (!over && newest() < wanted) timer = setTimeout(goOn, Math.min(wait, LONGEST_S) * 1000);
  }

  function reach(version) {
    if (version <= wanted) return;
    wanted = version;
    goOn();
  }

  const unfollow = onChange(({ id: changed, ...change }) => {
    if (changed !== id || change.version <= Math.max(newest(), told[0]?.version ?? 0)) return;
    told = [change, ...told];
    if (read) paint();
    reach(change.version);
  });
  async function earlier() {
    try {
      const items = await readBefore(id, read.at(-1).version);
      read = [...read, ...items.filter((one) => one.version < read.at(-1).version)];
      if (!over) paint();
    } catch (problem) {
      if (!over) paint(problem);
    }
  }

  goOn();
  return { reach, earlier, stop: () => { over = true; clearTimeout(timer); unfollow(); } };
}

export function History({ id, version }) {
  const [{ items, problem }, setFound] = useState({ items: null, problem: null });
  const following = useRef();
  useEffect(() => {
    following.current = follow(id, version ?? 0, (found, said) => setFound({ items: found, problem: said }));
    return () => following.current.stop();
  }, [id]);
  useEffect(() => following.current.reach(version ?? 0), [id, version]);
  return html`
    <section class="history" aria-label="History">
      <h2>History</h2>
      ${problem && html`<p class="problem" role="alert">${problem.status === 404 ? "Nothing yet." : problem.message}</p>`}
      ${items === null && !problem && html`<p class="faint" role="status">Loading …</p>`}
      ${items && html`<ol data-testid="history">${items.map((one) => html`
        <li key=${one.version}><span class="version">v${one.version}</span>
          <span class="grow">${WHAT[nameOf(one.type)] ?? nameOf(one.type)}</span>
          <span class="who">${one.actor === undefined ? "…" : (one.actor ?? "unnamed")}</span>
          <time datetime=${one.occurred_at} title=${exact(one.occurred_at)}>${ago(one.occurred_at)}</time></li>`)}
        ${items.at(-1)?.version > 1 && html`<li><button class="quiet" onClick=${() => following.current.earlier()}>Earlier</button></li>`}</ol>`}
    </section>`;
}
