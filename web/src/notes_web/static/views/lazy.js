// Views that most people do not open: loaded when they are.

import { html, useEffect, useState } from "../html.js";

const lazily = (load) => function Lazy(props) {
  const [view, setView] = useState(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => { load().then((found) => setView(() => found), () => setFailed(true)); }, []);
  if (failed) {
    return html`<div class="blank" role="alert"><p>This part of the page could not be loaded.</p>
      <button onClick=${() => location.reload()}>Load the page again</button></div>`;
  }
  return view ? html`<${view} ...${props} />` : html`<p class="blank" role="status">Loading …</p>`;
};

export const Operations = lazily(() => import("./operations.js").then((found) => found.Operations));
export const Preview = lazily(() => import("./preview.js").then((found) => found.Preview));
