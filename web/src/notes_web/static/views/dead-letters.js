// Dead letters of one side: listed, looked into, sent back, marked as dealt with.

import { get, post } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { Icon } from "./icons.js";
import { doing, Table, useReading } from "./operations.js";
import { confirmed } from "./question.js";
import { ago, exact } from "./times.js";

const PAGE = 50;
const STATES = ["open", "redriven", "dropped", "all"];

export function DeadLetters({ title, base, side }) {
  const [state, setState] = useState("open");
  const [cursors, setCursors] = useState([null]);
  const [chosen, setChosen] = useState(() => new Set());
  const [shown, setShown] = useState(null);
  const [force, setForce] = useState(false);
  const { data, problem, again } = useReading(
    async () => (await get(base, "/admin/dead-letters", { state, limit: PAGE, cursor: cursors.at(-1) })).data, [base, state, cursors]);
  useEffect(() => setChosen(new Set()), [state, cursors]);
  const items = data?.items ?? [];
  const ids = items.map((one) => one.id).filter((id) => chosen.has(id));
  const toggle = (id) => setChosen((before) => {
    const after = new Set(before);
    if (!after.delete(id)) after.add(id);
    return after;
  });
  const act = async (what, done) => {
    const worked = await doing(async () => (await post(base, `/admin/dead-letters/${what}`, { ids, force })).data, done);
    if (worked) setChosen(new Set());
    again();
  };
  const redrive = () => act("redrive", (found) => {
    const failed = found.items?.filter((one) => one.state === "open") ?? [];
    return failed.length ? `${failed.length} failed again: ${failed[0].reason}` : `${ids.length} sent back.`;
  });
  const drop = async () => {
    if (await confirmed(`Mark ${ids.length} as dealt with?`, "Drop")) act("drop", (found) => `${found.dropped.length} marked as dealt with.`);
  };
  return html`
    <section aria-label=${title} data-testid="dead-letters-${side}">
      <header class="head"><h2>${title}</h2>
        <label>Show <select value=${state} onChange=${(event) => { setState(event.target.value); setCursors([null]); }}>
          ${STATES.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label></header>
      ${problem && html`<p class="problem" role="alert">${problem.message}</p>`}
      ${data && items.length === 0 && html`<p class="faint">None.</p>`}
      ${items.length > 0 && html`
        <${Table} label=${`${title}, ${state}`} head=${["Choose", "Where it was read", "What", "Why", "When", ""]}>
          ${items.map((one) => html`<tr key=${one.id}>
            <td><input type="checkbox" aria-label="Choose ${one.id}" checked=${chosen.has(one.id)} onChange=${() => toggle(one.id)} /></td>
            <td class="id">${one.id}</td><td>${(one.type ?? "no type").replace(/^notes\.(command|event)\./, "")}${one.state === "open" ? "" : `, ${one.state}`}</td>
            <td>${one.code}: ${one.reason}</td><td title=${exact(one.time)}>${ago(one.time)}</td>
            <td><button class="quiet" aria-expanded=${shown === one.id} onClick=${() => setShown(shown === one.id ? null : one.id)}>
              <${Icon} name="eye" /> Look</button></td></tr>
            ${shown === one.id && html`<tr key=${`${one.id}-whole`}><td colspan="6"><${Whole} base=${base} id=${one.id} /></td></tr>`}`)}<//>
        <p class="buttons"><button disabled=${ids.length === 0} data-testid="redrive-${side}" onClick=${redrive}>Send back ${ids.length || ""}</button>
          <button class="danger" disabled=${ids.length === 0} data-testid="drop-${side}" onClick=${drop}>Drop ${ids.length || ""}</button>
          <label><input type="checkbox" checked=${force} onChange=${(event) => setForce(event.target.checked)} /> Force: though the note has changed since</label>
          <span class="grow"></span>
          ${cursors.length > 1 && html`<button class="quiet" onClick=${() => setCursors(cursors.slice(0, -1))}>Earlier</button>`}
          ${data.next_cursor && html`<button class="quiet" onClick=${() => setCursors([...cursors, data.next_cursor])}>Later</button>`}</p>`}
    </section>`;
}

/** Bytes as text if they are text, else as they were sent: base64. */
function readable(base64) {
  if (base64 === null || base64 === undefined) return "none";
  try {
    const bytes = Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return `base64: ${base64}`;
  }
}

function Whole({ base, id }) {
  const [found, setFound] = useState({ data: null, problem: null });
  useEffect(() => {
    get(base, `/admin/dead-letters/${encodeURIComponent(id)}`)
      .then(({ data }) => setFound({ data, problem: null }), (problem) => setFound({ data: null, problem }));
  }, [id]);
  const { data, problem } = found;
  if (problem) return html`<p class="problem" role="alert">${problem.message}</p>`;
  if (!data) return html`<p class="faint" role="status">Loading …</p>`;
  return html`
    <dl class="whole"><dt>Key</dt><dd>${readable(data.key)}</dd>
      <dt>Headers</dt><dd>${data.headers.map(([name, value], at) => html`<div key=${at}>${name}: ${readable(value)}</div>`)}</dd>
      <dt>Value</dt><dd><pre tabindex="0">${readable(data.value)}</pre></dd>
      ${data.cut.length > 0 && html`<dt>Cut</dt><dd>${data.cut.map((one) => `${one.part} has ${one.bytes} bytes`).join(", ")}</dd>`}</dl>`;
}
