import { effect, signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";

const KEY = "graftwerk-theme";
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(prefersDark.matches);
prefersDark.addEventListener("change", (event) => (systemDark.value = event.matches));

const stored = localStorage.getItem(KEY);
export const theme = signal<Theme>(stored === "light" || stored === "dark" ? stored : "auto");

/** Whether the page is dark: for what is drawn on a canvas and does not follow the style sheet. */
export const dark = signal(false);

effect(() => {
  dark.value = theme.value === "auto" ? systemDark.value : theme.value === "dark";
  document.documentElement.dataset.theme = dark.value ? "dark" : "light";
});

export function setTheme(value: Theme): void {
  theme.value = value;
  if (value === "auto") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, value);
}

/** A colour of the style sheet, such as "--accent", for a canvas. */
export const color = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
