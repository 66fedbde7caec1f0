// What is at the foot of the side: how the page is connected, who is signed in, and the way to operations.

import { mayAdminister, person } from "../auth.js";
import { safe } from "../database.js";
import { html, useEffect } from "../html.js";
import { leave } from "../leaving.js";
import { unsent } from "../queue.js";
import { refresh } from "../reads.js";
import { addressOf, go, route } from "../router.js";
import { connection, lag, queue, viewOf } from "../store.js";
import { Icon } from "./icons.js";
import { confirmed } from "./question.js";

const STATES = {
  live: "Live", connecting: "Connecting", offline: "Offline", "signed-out": "Signed out",
};

/** How the page is connected, and how far the read side is behind. */
export function Connection() {
  const state = person.value === false ? "signed-out" : connection.value;
  const count = queue.value.filter((one) => one.state !== "rejected" && one.state !== "conflict").length;
  const behind = lag.value !== null && lag.value >= 1 ? `Read side ${Math.round(lag.value)} s behind` : "";
  const title = state === "live" ? "changes by others appear here as they happen" : "what you write is kept and sent later";
  return html`
    <div class="connection" data-testid="connection" data-state=${state}
      title="${STATES[state]}: ${safe.value ? title : "this browser keeps nothing, so what is not sent is lost when this window is closed"}">
      <span class="dot" aria-hidden="true"></span><span role="status">${STATES[state]}</span>
      <span class="count">${count ? `${count} on the way` : ""}</span>
      <span class="behind" role="status">${safe.value ? behind : "Not kept in this browser"}</span>
    </div>`;
}

/** The way to texts that nobody but the person can go on with: to choose for, or refused. */
export function Needs() {
  const needs = queue.value.filter((one) => one.state === "conflict" || one.state === "rejected");
  const ids = [...new Set(needs.map((one) => one.note_id))];
  useEffect(() => { for (const id of ids) if (!viewOf(id).peek().document) refresh(id); }, [ids.join()]);
  if (needs.length === 0) return null;
  const titleOf = (id) => viewOf(id).value.note?.title || needs.find((one) => one.note_id === id).data.title || "A note";
  return html`
    <details class="needs" data-testid="needs"><summary>${needs.length === 1 ? "1 text needs you" : `${needs.length} texts need you`}</summary>
      <ul>${ids.map((id) => html`<li key=${id}><a href=${addressOf({ id })} dir="auto">${titleOf(id)}</a></li>`)}</ul></details>`;
}

export function Account({ config }) {
  if (config.auth !== "oidc" || !person.value) return null;
  return html`
    <p class="account"><span title=${person.value.sub}>${person.value.name}</span>
      <button class="quiet" onClick=${askToLeave}>Sign out</button></p>`;
}

/** Sign out, and leave nothing of this person on the device. */
async function askToLeave() {
  const count = await unsent();
  if (count && !(await confirmed(`${count} of your changes are not sent yet, and would be lost. Sign out?`, "Sign out"))) return;
  await leave();
}

export function OperationsLink() {
  if (!mayAdminister.value) return null;
  const here = route.value.page === "operations";
  return html`
    <button class="row-button" aria-current=${here ? "page" : null} onClick=${() => go(here ? "/" : "/operations")}>
      <${Icon} name="pulse" /> ${here ? "Back to notes" : "Operations"}
    </button>`;
}
