// The way of each write to this note, with milliseconds from real events, and the same edit by the other strategies.

import { html, signal, useEffect } from "../html.js";
import { lag } from "../store.js";
import { compare, comparing, writes } from "../writes.js";
import { span } from "./times.js";

const NAMES = {
  "create-note": "Create", "update-note": "Text", "rename-note": "Title", "tag-note": "Tag", "untag-note": "Tag off",
  "archive-note": "Archive", "restore-note": "Restore", "delete-note": "Delete",
};
const STEPS = ["sending", "accepted", "visible"];
const LATE_MS = 1_000;
const SHOWN = 8;
const tick = signal(0);

export function Writes({ id }) {
  const mine = writes.value.filter((one) => one.note_id === id).slice(0, SHOWN);
  const open = mine.some((one) => ["waiting", "sending", "sent", "accepted"].includes(one.state));
  return html`
    <section class="writes" aria-labelledby="writes-title">
      <header>
        <h2 id="writes-title">Your writes</h2>
        <label class="switch"><input type="checkbox" role="switch" data-testid="compare" checked=${comparing.value}
          onChange=${(event) => compare(event.target.checked)} /> Compare with the other two strategies</label>
      </header>
      ${mine.length === 0 && html`<p class="faint">What you change here shows its way: sent, accepted, visible to everybody.</p>`}
      <ol>${mine.map((one) => html`<${Write} key=${one.id} write=${one} />`)}</ol>
      <${Ticking} on=${open} />
    </section>`;
}

/** Paints again while something is under way, so that the waiting can be seen. */
function Ticking({ on }) {
  useEffect(() => {
    if (!on) return undefined;
    const timer = setInterval(() => { tick.value += 1; }, 250);
    return () => clearInterval(timer);
  }, [on]);
  return null;
}

function Write({ write }) {
  const { at, state } = write;
  const waits = state === "accepted" && at.visible === undefined;
  if (waits || state === "sent" || state === "sending") void tick.value;
  const late = waits ? performance.now() - at.accepted : 0;
  return html`
    <li class="write" data-testid="write" data-state=${state} data-name=${write.name} data-version=${write.version}>
      <span class="what">${NAMES[write.name]}${write.data.tag ? ` #${write.data.tag}` : ""}</span>
      <ol class="steps">
        <${Step} name="shown" ms=${since(at.painted, at.made)} done=${at.painted !== undefined} />
        <${Step} name=${state === "waiting" && !at.sending ? "waits for a pause" : "sent"} ms=${since(at.sending, at.made)} done=${at.sending !== undefined && state !== "waiting"} now=${state === "waiting"} />
        ${state === "rejected" || state === "conflict"
          ? html`<${Step} name=${state === "conflict" ? "your choice" : "refused"} bad done=${true} title=${write.reason} />`
          : html`<${Step} name=${write.version ? `accepted v${write.version}` : "accepted"} ms=${since(at.accepted, at.sending)} done=${at.accepted !== undefined} now=${state === "sending" || state === "sent"} />
            ${late > LATE_MS
              ? html`<${Step} name="waiting for the read side" ms=${late} late now />`
              : html`<${Step} name="visible" ms=${since(at.visible, at.accepted)} done=${at.visible !== undefined} now=${waits} />`}`}
      </ol>
      ${write.reason && state === "waiting" && html`<p class="reason">${write.reason} It is sent again.</p>`}
      ${write.reason && state === "rejected" && html`<p class="reason">${write.reason}</p>`}
      ${late > LATE_MS && lag.value !== null && html`<p class="reason">Projection-Lag: ${lag.value.toFixed(1)} s. You see your change; others will once the read side has it.</p>`}
      ${write.compared && html`<${Compared} write=${write} />`}
    </li>`;
}

const since = (to, from) => (to === undefined || from === undefined ? null : Math.max(0, to - from));

const Step = ({ name, ms = null, done = false, now = false, late = false, bad = false, title = null }) => html`
  <li class="step ${bad ? "bad" : late ? "late" : done ? "done" : now ? "now" : ""}" title=${title}>
    <span class="dot" aria-hidden="true"></span><span>${name}</span><span class="ms">${ms === null ? "" : span(ms)}</span></li>`;

/** When each strategy would have shown this edit, counted from the key press. */
function Compared({ write }) {
  const { at, compared } = write;
  const until = at.accepted - at.made;
  const rows = [
    ["Optimistic", "shown at once, before it was sent", since(at.painted, at.made), null],
    ["Write store", "GET /notes/{id} of command-service", compared["write-store"], until],
    ["Version-aware", `min_version=${write.version} of query-service`, compared["min-version"], until],
  ].map(([name, how, found, from]) => {
    if (typeof found === "number" || !found) return { name, how, ms: found ?? null };
    return { name, how, ms: found.error ? null : from + found.ms, says: found.error ?? `v${found.version}${found.consistency ? `, ${found.consistency}` : ""}` };
  });
  const longest = Math.max(1, ...rows.map((one) => one.ms ?? 0));
  return html`
    <dl class="compared" data-testid="compared" title="From the key press, with the pause in typing, until each had this edit">
      ${rows.map((one) => html`
        <div key=${one.name}><dt title=${one.how}>${one.name}</dt>
          <dd><meter min="0" max=${longest} value=${one.ms ?? 0} aria-label="${one.name}: milliseconds"></meter>
            <span class="ms">${one.ms === null ? "…" : span(one.ms)}</span> <span class="faint">${one.says ?? ""}</span></dd></div>`)}
    </dl>`;
}
