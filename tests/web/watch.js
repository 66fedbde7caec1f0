// Counts flickers: a place that shows again what it had shown before something else. Texts of the tests are unique, so
// that nothing has a reason to come back.
(() => {
  const places = new Map();
  window.watched = { flickers: [], looks: 0 };

  function look(place, value) {
    const known = places.get(place) ?? { now: undefined, past: new Set() };
    if (known.now === value) return;
    if (known.past.has(value)) window.watched.flickers.push(`${place}: “${value}” again, after “${known.now}”`);
    if (known.now !== undefined) known.past.add(known.now);
    known.now = value;
    places.set(place, known);
  }

  function scan() {
    window.watched.looks += 1;
    const rows = new Set();
    for (const row of document.querySelectorAll("[data-testid=note-row]")) {
      rows.add(row.dataset.noteId);
      look(`row ${row.dataset.noteId}`, row.querySelector(".title")?.textContent);
    }
    for (const place of places.keys()) {
      if (place.startsWith("row ") && !rows.has(place.slice(4))) look(place, "(gone)");
    }
    const open = location.pathname;
    for (const name of ["title", "body"]) {
      const field = document.querySelector(`[data-testid=${name}]`);
      if (field) look(`${name} of ${open}`, field.value);
    }
  }

  new MutationObserver(scan).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  // What a field holds is no mutation: whoever types in it or sets it is watched as well.
  addEventListener("input", scan, true);
  for (const { prototype } of [HTMLInputElement, HTMLTextAreaElement]) {
    const { get, set } = Object.getOwnPropertyDescriptor(prototype, "value");
    Object.defineProperty(prototype, "value", { get, set(text) { set.call(this, text); scan(); }, configurable: true });
  }
})();
