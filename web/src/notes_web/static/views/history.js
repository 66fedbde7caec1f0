// What happened to a note: who did it, and when.

import { query } from "../api.js";
import { html, signal, useEffect, useState } from "../html.js";
import { ago, exact } from "./times.js";

export const showingHistory = signal(false);

const WHAT = {
  "note-created": "created", "note-updated": "text changed", "note-renamed": "renamed", "note-tagged": "tag added",
  "note-untagged": "tag taken off", "note-archived": "archived", "note-restored": "restored",
  "note-snapshotted": "restored from a snapshot",
};
const nameOf = (type) => type.replace(/^notes\.event\./, "").replace(/\.v\d+$/, "");
const PAGE = 200;
const LATE_MS = 700;

/** Return all versions, the newest first. Raises Problem. */
async function readAll(id) {
  const found = [];
  for (let after = 0; after !== null;) {
    const { data } = await query(`/notes/${id}/history`, { limit: PAGE, after_version: after });
    found.push(...data.items);
    after = data.next_after_version;
  }
  return found.reverse();
}

export function History({ id, version }) {
  const [items, setItems] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    let gone = false;
    let timer = 0;
    const read = async (tries) => {
      try {
        const found = await readAll(id);
        if (gone) return;
        setItems(found);
        setProblem(null);
        // The background projector may be a moment behind the note itself.
        if (tries > 0 && version !== undefined && (found[0]?.version ?? 0) < version) timer = setTimeout(read, LATE_MS, tries - 1);
      } catch (error) {
        if (!gone) setProblem(error);
      }
    };
    read(8);
    return () => { gone = true; clearTimeout(timer); };
  }, [id, version]);
  return html`
    <section class="history" aria-label="History">
      <h2>History</h2>
      ${problem && html`<p class="problem" role="alert">${problem.status === 404 ? "Nothing yet." : problem.message}</p>`}
      ${items === null && !problem && html`<p class="faint" role="status">Loading …</p>`}
      ${items && html`<ol data-testid="history">${items.map((one) => html`
        <li key=${one.version}><span class="version">v${one.version}</span>
          <span class="grow">${WHAT[nameOf(one.type)] ?? nameOf(one.type)}</span>
          <span class="who">${one.actor ?? "unnamed"}</span>
          <time datetime=${one.occurred_at} title=${exact(one.occurred_at)}>${ago(one.occurred_at)}</time></li>`)}</ol>`}
    </section>`;
}
