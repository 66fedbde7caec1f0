// Operations, for who may administer: what the command lines of both services do, over the same HTTP that they have.

import { config, get, post } from "../api.js";
import { html, useCallback, useEffect, useState } from "../html.js";
import { addressOf } from "../router.js";
import { say } from "../store.js";
import { DeadLetters } from "./dead-letters.js";
import { confirmed } from "./question.js";
import { ago, exact } from "./times.js";

const EVERY_MS = 5_000;

/** Read again and again while the view is open: `{data, problem, again}`. */
export function useReading(read, dependencies) {
  const [found, setFound] = useState({ data: null, problem: null });
  const again = useCallback(async () => {
    try {
      const data = await read();
      setFound({ data, problem: null });
    } catch (problem) {
      setFound((before) => ({ data: before.data, problem }));
    }
  }, dependencies);
  useEffect(() => {
    again();
    const timer = setInterval(() => { if (!document.hidden) again(); }, EVERY_MS);
    return () => clearInterval(timer);
  }, dependencies);
  return { ...found, again };
}

/** Do something that an operator asked for, and say what came of it. */
export async function doing(act, done) {
  try {
    say(done(await act()));
    return true;
  } catch (problem) {
    const held = problem.body?.held?.map((one) => `${one.id}: ${one.reason}`).join("; ");
    say(held ? `Held back. ${held}` : problem.message, { kind: "error", seconds: 12 });
    return false;
  }
}

export function Operations() {
  return html`
    <div class="operations" data-testid="operations">
      <header><h2 class="top">Operations</h2><p class="faint">Read anew every five seconds. What you do here is what the command lines do.</p></header>
      <${Lag} />
      <div class="pair"><${Health} title="Write side" base=${config.command_url} /><${Health} title="Read side" base=${config.query_url} /></div>
      <${Outbox} />
      <${Gaps} />
      <${DeadLetters} title="Dead letters: commands" base=${config.command_url} side="write" />
      <${DeadLetters} title="Dead letters: events" base=${config.query_url} side="read" />
    </div>`;
}

function Problem({ of }) {
  return of ? html`<p class="problem" role="alert">${of.status === 403 ? "You may not see this: it needs the scope notes.admin." : of.message}</p>` : null;
}

const lagOf = async (path, parameters) =>
  Number.parseFloat((await get(config.query_url, path, parameters)).headers.get("Projection-Lag") ?? "NaN");

function Lag() {
  const { data, problem } = useReading(async () => {
    const [notes, background] = await Promise.all([lagOf("/tags", {}), lagOf("/notes/search", { q: "a", limit: 1 })]);
    return { notes, background };
  }, []);
  const one = (name, what, seconds) => html`
    <div class="figure"><dt>${name}</dt><dd class=${seconds > 10 ? "bad" : ""}>${seconds === undefined || Number.isNaN(seconds) ? "–" : `${seconds.toFixed(1)} s`}</dd>
      <dd class="faint">${what}</dd></div>`;
  return html`
    <section aria-label="Lag"><h2>How far the read side may be behind</h2><${Problem} of=${problem} />
      <dl class="figures">${one("notes", "notes, lists, tags", data?.notes)}${one("background", "search and history", data?.background)}</dl></section>`;
}

function Health({ title, base }) {
  const { data, problem } = useReading(async () => {
    try {
      return (await get(base, "/readyz")).data;
    } catch (error) {
      if (error.body?.parts) return error.body; // 503, and why
      throw error;
    }
  }, [base]);
  return html`
    <section aria-label=${`Health: ${title}`}>
      <h2>${title} ${data && html`<span class="badge ${data.ready ? "good" : "bad"}">${data.ready ? "ready" : "not ready"}</span>`}</h2>
      <${Problem} of=${problem} />
      <ul class="parts">${data && Object.entries(data.parts).map(([name, part]) => html`
        <li key=${name} class=${part.ok ? "good" : "bad"}><span class="dot" aria-hidden="true"></span>
          <span class="grow">${name}${part.ok ? "" : html`<br /><span class="faint">${part.reason}</span>`}</span>
          <span class="faint" title=${exact(part.since)}>${part.ok ? "well" : "not well"}, ${ago(part.since)}</span></li>`)}</ul>
    </section>`;
}

function Outbox() {
  const { data, problem, again } = useReading(async () => (await get(config.command_url, "/admin/outbox", { limit: 100 })).data, []);
  const act = (what, note, done) => doing(
    async () => (await post(config.command_url, `/admin/outbox/${what}`, { note_id: note })).data, done).then(again);
  const drop = async (note) => {
    if (await confirmed(`Remove the parked records of ${note} for good? “Republish” then sends what the note is now.`, "Remove")) {
      act("drop", note, (found) => `${found.dropped} records removed.`);
    }
  };
  const byNote = {};
  for (const row of data?.rows ?? []) (byNote[row.aggregateid] ??= []).push(row);
  return html`
    <section aria-label="Outbox"><h2>Outbox</h2><${Problem} of=${problem} />
      ${data && html`<dl class="figures">
        <div class="figure"><dt>waiting</dt><dd>${data.waiting}</dd><dd class="faint">the oldest ${data.oldest_s.toFixed(1)} s</dd></div>
        <div class="figure"><dt>parked</dt><dd class=${data.parked ? "bad" : ""}>${data.parked}</dd><dd class="faint">Kafka refused them</dd></div></dl>`}
      ${Object.keys(byNote).length > 0 && html`<${Table} head=${["Note", "Records", "Why", ""]}>
        ${Object.entries(byNote).map(([note, rows]) => html`<tr key=${note}><td class="id">${note}</td><td>${rows.length}</td><td>${rows[0].reason}</td>
          <td class="buttons"><button onClick=${() => act("unpark", note, (found) => `${found.sent} sent, ${found.parked} parked again.`)}>Unpark</button>
            <button class="danger" onClick=${() => drop(note)}>Drop</button></td></tr>`)}<//>`}
    </section>`;
}

function Gaps() {
  const { data, problem, again } = useReading(async () => (await get(config.query_url, "/admin/gaps", { limit: 100 })).data, []);
  const republish = (note) => doing(
    async () => (await post(config.command_url, "/admin/republish", { note_id: note })).data,
    () => "A snapshot is on its way.").then(again);
  const note = (id) => html`<td class="id"><a href=${addressOf({ id })}>${id}</a></td>`;
  const button = (id) => html`<td class="buttons"><button onClick=${() => republish(id)}>Republish</button></td>`;
  const nothing = data && !data.items.length && !data.forks.length && !data.missing.length;
  return html`
    <section aria-label="Parked notes and forks"><h2>Parked notes, forks, missing versions</h2><${Problem} of=${problem} />
      ${nothing && html`<p class="faint">None: every note is complete.</p>`}
      ${data?.items.length > 0 && html`<${Table} head=${["Parked note", "Has", "Misses", "Waiting", "Since", ""]}>
        ${data.items.map((one) => html`<tr key=${`${one.note_id}:${one.read_model}`}>${note(one.note_id)}<td>v${one.version}</td><td>${one.missing ? `v${one.missing}` : "–"}</td>
          <td>${one.waiting}${one.forks ? `, ${one.forks} forks` : ""}</td><td title=${exact(one.since)}>${ago(one.since)}</td>${button(one.note_id)}</tr>`)}<//>`}
      ${data?.forks.length > 0 && html`<${Table} head=${["Fork of note", "Version", "Read at", "Since", ""]}>
        ${data.forks.map((one) => html`<tr key=${one.id}>${note(one.note_id)}<td>v${one.version}</td><td class="id">${one.topic}:${one.partition}:${one.offset}</td>
          <td title=${exact(one.since)}>${ago(one.since)}</td>${button(one.note_id)}</tr>`)}<//>`}
      ${data?.missing.length > 0 && html`<${Table} head=${["Announced and not there", "Version", "Since", ""]}>
        ${data.missing.map((one) => html`<tr key=${`${one.note_id}:${one.version}`}>${note(one.note_id)}<td>v${one.version}</td>
          <td title=${exact(one.since)}>${ago(one.since)}</td>${button(one.note_id)}</tr>`)}<//>`}
      ${data?.more && html`<p class="faint">There are more; the oldest are shown.</p>`}
    </section>`;
}

export const Table = ({ label, head, children }) => html`
  <div class="table" tabindex="0" role="region" aria-label=${label ?? head[0]}><table><thead><tr>${head.map((one, at) => html`<th key=${at} scope="col">${one || html`<span class="hidden">What to do</span>`}</th>`)}</tr></thead>
    <tbody>${children}</tbody></table></div>`;
