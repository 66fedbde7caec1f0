// Views that most people do not open: loaded when they are.

import { html, useEffect, useState } from "../html.js";

const lazily = (load) => function Lazy(props) {
  const [view, setView] = useState(null);
  useEffect(() => { load().then((found) => setView(() => found)); }, []);
  return view ? html`<${view} ...${props} />` : html`<p class="blank" role="status">Loading …</p>`;
};

export const Operations = lazily(() => import("./operations.js").then((found) => found.Operations));
export const Preview = lazily(() => import("./preview.js").then((found) => found.Preview));
