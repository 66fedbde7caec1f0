// Preact, its hooks and signals, bound to htm: what every view imports.

import { h, render } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export { useCallback, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact-hooks.js";
export { batch, computed, effect, signal } from "./vendor/signals-core.js";
import "./vendor/signals.js"; // makes components follow the signals that they read

export const html = htm.bind(h);
export { render };
