// Dark or light: as the device has it, or as it was chosen here.

import { effect, signal } from "./html.js";

const CHOICES = ["auto", "light", "dark"];
const stored = localStorage.getItem("theme");

export const theme = signal(CHOICES.includes(stored) ? stored : "auto");

export function nextTheme() {
  theme.value = CHOICES[(CHOICES.indexOf(theme.value) + 1) % CHOICES.length];
  localStorage.setItem("theme", theme.value);
}

effect(() => { document.documentElement.dataset.theme = theme.value; });
