import { html } from "../html.js";

export const Operations = () => html`<p class="blank">Operations</p>`;
