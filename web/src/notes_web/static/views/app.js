// The whole page: side, list, note or operations, and what lies over them.

import { person, signIn } from "../auth.js";
import { safe } from "../database.js";
import { html } from "../html.js";
import { route } from "../router.js";
import { queue, say } from "../store.js";
import { Help } from "./help.js";
import { Icon } from "./icons.js";
import { List } from "./list.js";
import { Messages } from "./messages.js";
import { Note } from "./note.js";
import { Operations } from "./lazy.js";
import { Question } from "./question.js";
import { Side } from "./side.js";

export function App({ config }) {
  if (person.value === null) return html`<p class="blank" role="status">Starting …</p>`;
  const { page, id } = route.value;
  return html`
    <header class="hidden"><h1>Notes</h1></header>
    <a class="skip" href="#note" onClick=${(event) => { event.preventDefault(); document.getElementById("note")?.focus(); }}>To the note</a>
    <div class="app" data-page=${page} inert=${person.value === false}>
      <${Side} config=${config} />
      ${page === "operations"
        ? html`<main id="note" class="wide" tabindex="-1"><${Operations} /></main>`
        : html`
          <main class="panes">
            <${List} />
            <section id="note" class="note-pane" tabindex="-1" aria-label="Note">
              ${page === "note" ? html`<${Note} key=${id} id=${id} />` : html`<${Nothing} lost=${page === "lost"} />`}
            </section>
          </main>`}
    </div>
    ${person.value === false && html`<${SignedOut} />`}
    <${Messages} />
    <${Help} />
    <${Question} />`;
}

function Nothing({ lost }) {
  return html`
    <div class="blank">
      <${Icon} name="note" size="40" />
      ${lost ? html`<h2>There is no such page</h2><p><a href="/">All notes</a></p>`
        : html`<h2>No note is open</h2>
          <p>Choose one, or press <kbd>n</kbd> for a new one. <kbd>?</kbd> lists every key.</p>`}
    </div>`;
}

const notSignedIn = (error) => say(`Signing in did not succeed: ${error.message}. Try again, or load the page again.`, { kind: "error", seconds: 20 });

function SignedOut() {
  const waiting = queue.value.filter((one) => one.state !== "rejected").length;
  return html`
    <div class="veil">
      <section class="sheet" role="dialog" aria-modal="true" aria-labelledby="sign-in-title">
        <${Icon} name="note" size="40" />
        <h1 id="sign-in-title">Notes</h1>
        <p>${waiting
          ? `Your session has ended. ${waiting} change${waiting > 1 ? "s are" : " is"} ${safe.value
            ? "kept here and sent once you are signed in" : "in this window alone, for this browser keeps nothing: to sign in here loses what you wrote"}.`
          : "Sign in to read and write notes."}</p>
        <button class="primary" data-testid="sign-in" autofocus onClick=${() => signIn().catch(notSignedIn)}>Sign in</button>
      </section>
    </div>`;
}
