// What a person has to decide: two texts where there can be one, and what was refused.

import { chooseMine, chooseTheirs, dismiss } from "../actions.js";
import { difference } from "../conflict.js";
import { html, useState } from "../html.js";
import { FIELD } from "../pending.js";
import { say } from "../store.js";

export function Conflict({ pending }) {
  return pending.filter((one) => one.state === "conflict").map((one) => html`<${Choice} key=${one.id} command=${one} />`);
}

function Choice({ command }) {
  const field = FIELD[command.name];
  const mine = command.data[field];
  const theirs = command.theirs.value;
  const [mix, setMix] = useState(null);
  return html`
    <section class="conflict" data-testid="conflict" role="group" aria-labelledby="conflict-${command.id}">
      <h2 id="conflict-${command.id}">Somebody else changed ${field === "title" ? "the title" : "this text"} while you wrote</h2>
      <p>Nothing is lost: yours was not sent. Choose which one stays.</p>
      <div class="sides">
        <figure><figcaption>Yours</figcaption><${Side} mine=${mine} theirs=${theirs} show="mine" />
          <button class="primary" data-testid="keep-mine" onClick=${() => chooseMine(command)}>Keep mine</button></figure>
        <figure><figcaption>Theirs, v${command.theirs.version}</figcaption><${Side} mine=${mine} theirs=${theirs} show="theirs" />
          <button data-testid="take-theirs" onClick=${() => chooseTheirs(command)}>Take theirs</button></figure>
      </div>
      ${mix === null
        ? html`<button class="quiet" onClick=${() => setMix({ text: `${theirs}\n\n${mine}`, theirs: command.theirs })}>Write one out of both</button>`
        : html`<textarea aria-label="One out of both" dir="auto" value=${mix.text} onInput=${(event) => setMix({ ...mix, text: event.target.value })}></textarea>
          <p class="buttons"><button class="primary" onClick=${() => chooseMine(command, mix)}>Keep this</button>
            <button class="quiet" onClick=${() => setMix(null)}>Cancel</button></p>`}
    </section>`;
}

const Side = ({ mine, theirs, show }) => html`
  <blockquote tabindex="0" dir="auto">${difference(mine, theirs).filter((one) => one.kind === "same" || one.kind === show)
    .map((one, at) => (one.kind === "same" ? one.text : html`<mark key=${at}>${one.text}</mark>`))}</blockquote>`;

const WHAT = {
  "create-note": "The note was not made", "update-note": "Your text was not taken", "rename-note": "Your title was not taken",
};

/** What was refused: rolled back, and what the person wrote still at hand. */
export function Refused({ commands }) {
  return commands.map((command) => {
    const { data } = command;
    const text = command.name === "create-note" ? [data.title, data.body].filter(Boolean).join("\n\n") : data[FIELD[command.name]] ?? "";
    const copy = () => (navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("not a secure page")))
      .then(() => say("Copied."), () => say("This browser does not let a page copy.", { kind: "error" }));
    return html`
      <section key=${command.id} class="refused" data-testid="rejected" role="alert">
        <p><strong>${WHAT[command.name] ?? "Not done"}.</strong> ${command.reason}</p>
        ${text && html`<details><summary>What you wrote</summary><pre tabindex="0" dir="auto">${text}</pre></details>`}
        <p class="buttons">${text && html`<button onClick=${copy}>Copy it</button>`}
          <button class="quiet" onClick=${() => dismiss(command)}>Put away</button></p>
      </section>`;
  });
}
