// Asks before what cannot be taken back.

import { html, signal, useLayoutEffect, useRef } from "../html.js";

const asked = signal(null);

/** Ask `text`, and return whether the answer was yes; `yes` is what the button says that means it. */
export function confirmed(text, yes) {
  asked.peek()?.answer(false);
  return new Promise((resolve) => { asked.value = { text, yes, answer: resolve }; });
}

export function Question() {
  const dialog = useRef();
  const question = asked.value;
  // Opened before it is painted; what had the focus gets it back from the browser when it is closed.
  useLayoutEffect(() => {
    if (question && !dialog.current.open) dialog.current.showModal();
    if (!question && dialog.current.open) dialog.current.close();
  }, [question]);
  const answer = (found) => {
    asked.value = null;
    question?.answer(found);
  };
  return html`
    <dialog id="question" ref=${dialog} role="alertdialog" aria-labelledby="question-text" onClose=${() => { if (!dialog.current.open) answer(false); }}>
      <p id="question-text">${question?.text}</p>
      <p class="buttons"><button autofocus data-testid="no" onClick=${() => answer(false)}>Cancel</button>
        <button class="danger" data-testid="yes" onClick=${() => answer(true)}>${question?.yes}</button></p>
    </dialog>`;
}
