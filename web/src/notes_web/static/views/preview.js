// A note's text as Markdown. What others wrote becomes HTML here, so it is sanitised, and loads nothing by itself.

import { html, useEffect, useState } from "../html.js";
import DOMPurify from "../vendor/dompurify.js";

const LONGEST_MS = 5_000;
const RULES = {
  USE_PROFILES: { html: true },
  FORBID_TAGS: ["style", "form", "input", "button", "textarea", "select", "img", "picture", "video", "audio", "source", "iframe", "dialog"],
  FORBID_ATTR: ["style", "id", "name", "class"],
};

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A" && node.hasAttribute("href")) {
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noopener noreferrer nofollow");
  }
});

/** Call `done` with the HTML of a text, or null if none could be made in time. Return what ends that. */
function parse(text, done) {
  const worker = new Worker(new URL("../markdown.js", import.meta.url), { type: "module" });
  const end = () => {
    clearTimeout(timer);
    worker.terminate();
  };
  const answer = (made) => {
    end();
    done(made);
  };
  const timer = setTimeout(answer, LONGEST_MS, null);
  worker.onmessage = ({ data }) => answer(data);
  worker.onerror = () => answer(null);
  worker.postMessage(text);
  return end;
}

export function Preview({ text }) {
  const [made, setMade] = useState();
  useEffect(() => parse(text, (found) => setMade(found === null ? null : DOMPurify.sanitize(found, RULES))), [text]);
  if (made === undefined) return html`<div class="preview" aria-busy="true"></div>`;
  if (made === null) {
    return html`<div class="preview" data-testid="preview" tabindex="0" aria-label="Preview" dir="auto">
      <p class="problem" role="status">This text cannot be previewed. Here it is as it was written.</p><pre>${text}</pre></div>`;
  }
  return html`<div class="preview" data-testid="preview" tabindex="0" aria-label="Preview" dir="auto" dangerouslySetInnerHTML=${{ __html: made }}></div>`;
}
