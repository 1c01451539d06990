// Before anything is drawn: the theme that was chosen, here or in the dashboard, or else the system's.
"use strict";
const systemTheme = matchMedia("(prefers-color-scheme: dark)");
function chosenTheme() {
  const stored = localStorage.getItem("graftwerk-theme");
  return stored === "light" || stored === "dark" ? stored : "auto";
}
function applyTheme() {
  const chosen = chosenTheme();
  document.documentElement.dataset.theme = chosen === "auto" ? (systemTheme.matches ? "dark" : "light") : chosen;
}
systemTheme.addEventListener("change", applyTheme);
applyTheme();
