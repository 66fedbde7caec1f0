// A note's text as Markdown. What others wrote becomes HTML here, so it is sanitised, and loads nothing by itself.

import { html, useMemo } from "../html.js";
import DOMPurify from "../vendor/dompurify.js";
import { marked } from "../vendor/marked.js";

const RULES = {
  USE_PROFILES: { html: true },
  FORBID_TAGS: ["style", "form", "input", "button", "textarea", "select", "img", "picture", "video", "audio", "source", "iframe"],
  FORBID_ATTR: ["style", "id", "name", "class"],
};

// Of a list of tasks the state is shown; a note is changed where it is written.
marked.use({ renderer: { checkbox: ({ checked }) => (checked ? "☑ " : "☐ ") } });

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A" && node.hasAttribute("href")) {
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noopener noreferrer nofollow");
  }
});

const asHtml = (text) => DOMPurify.sanitize(marked.parse(text, { gfm: true, breaks: true, async: false }), RULES);

export function Preview({ text }) {
  const made = useMemo(() => asHtml(text), [text]);
  return html`<div class="preview" data-testid="preview" tabindex="0" aria-label="Preview" dangerouslySetInnerHTML=${{ __html: made }}></div>`;
}
