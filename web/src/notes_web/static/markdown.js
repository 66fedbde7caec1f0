// Makes HTML of Markdown, in a worker: a text may be made so that this takes minutes.

import { marked } from "./vendor/marked.js";

// Of a list of tasks the state is shown; a note is changed where it is written.
marked.use({ renderer: { checkbox: ({ checked }) => (checked ? "☑ " : "☐ ") } });

self.onmessage = ({ data }) => {
  let html = null;
  try {
    html = marked.parse(data, { gfm: true, breaks: true, async: false });
  } catch (error) {
    console.info("the text has no preview", error);
  }
  self.postMessage(html);
};
