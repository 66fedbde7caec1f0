// Short messages at the lower edge; what can be undone has a button there.

import { html } from "../html.js";
import { messages } from "../store.js";
import { Icon } from "./icons.js";

export function Messages() {
  return html`
    <div class="messages" role="status" aria-live="polite">
      ${messages.value.map((one) => html`
        <p key=${one.id} class=${one.kind}>
          <span class="grow">${one.text}</span>
          ${one.action && html`<button class="quiet" data-testid=${one.action.label === "Undo" ? "undo" : null}
            onClick=${() => { one.close(); one.action.run(); }}>${one.action.label}</button>`}
          <button class="quiet icon-only" aria-label="Close" onClick=${one.close}><${Icon} name="close" size="14" /></button>
        </p>`)}
    </div>`;
}
