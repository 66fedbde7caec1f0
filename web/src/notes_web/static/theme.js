// Dark or light: as the device has it, or as it was chosen here.

import { effect, signal } from "./html.js";
import { store, stored } from "./storage.js";

const CHOICES = ["auto", "light", "dark"];
export const theme = signal(CHOICES.includes(stored("theme")) ? stored("theme") : "auto");

export function nextTheme() {
  theme.value = CHOICES[(CHOICES.indexOf(theme.value) + 1) % CHOICES.length];
  store("theme", theme.value);
}

effect(() => { document.documentElement.dataset.theme = theme.value; });
