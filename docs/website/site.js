// Search, theme, the list of pages on a phone, and buttons that copy code. Every page can be read without it.
"use strict";
const root = document.documentElement.dataset.root;
const byId = (id) => document.getElementById(id);

// ---- theme (see theme.js)
const themes = ["auto", "light", "dark"];
const themeButton = byId("theme");
function nameTheme() {
  const chosen = chosenTheme();
  themeButton.textContent = { auto: "◐", light: "☀", dark: "☾" }[chosen];
  themeButton.setAttribute("aria-label", `Theme: ${chosen}`);
}
nameTheme();
themeButton.hidden = false;
themeButton.addEventListener("click", () => {
  const next = themes[(themes.indexOf(chosenTheme()) + 1) % themes.length];
  if (next === "auto") localStorage.removeItem("graftwerk-theme");
  else localStorage.setItem("graftwerk-theme", next);
  applyTheme();
  nameTheme();
});

// ---- the list of pages, folded on a phone
const menu = byId("menu");
menu.addEventListener("click", () => {
  const open = document.body.classList.toggle("menu-open");
  menu.setAttribute("aria-expanded", String(open));
});

// ---- copying code
for (const block of document.querySelectorAll(".code")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  block.append(button);
}

// ---- search: all words must be in a section, in any form that begins so; headings weigh more than text
const query = byId("query");
const results = byId("results");
let sections = null;
let chosen = -1;

async function load() {
  if (sections === null) {
    const entries = await (await fetch(`${root}/search.json`)).json();
    sections = entries.map(([place, page, heading, text]) => ({
      place, page, heading, text, lower: [page, heading, text].map((part) => part.toLowerCase()),
    }));
  }
  return sections;
}

function count(text, word) {
  let found = 0;
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    if (at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1])) found++;
  }
  return found;
}

function score(section, words) {
  let total = 0;
  for (const word of words) {
    const [page, heading, text] = section.lower.map((part) => count(part, word));
    if (page + heading + text === 0) return 0;
    total += 20 * Math.min(heading, 1) + 10 * Math.min(page, 1) + Math.log2(1 + text);
    if (section.lower[1] === word) total += 30;
  }
  return total;
}

function excerpt(text, words) {
  const lower = text.toLowerCase();
  const at = Math.max(0, Math.min(...words.map((word) => lower.indexOf(word)).filter((place) => place >= 0)));
  const start = Number.isFinite(at) ? Math.max(0, at - 40) : 0;
  return (start ? "…" : "") + text.slice(start, start + 140) + (text.length > start + 140 ? "…" : "");
}

function choose(index) {
  const options = [...results.querySelectorAll("[role=option]")];
  chosen = options.length ? (index + options.length) % options.length : -1;
  options.forEach((option, place) => option.setAttribute("aria-selected", String(place === chosen)));
  if (chosen >= 0) {
    query.setAttribute("aria-activedescendant", options[chosen].id);
    options[chosen].scrollIntoView({ block: "nearest" });
  } else query.removeAttribute("aria-activedescendant");
}

function close() {
  results.hidden = true;
  query.setAttribute("aria-expanded", "false");
  choose(-1);
}

function option(section, words, place) {
  const item = document.createElement("li");
  item.role = "option";
  item.id = `result-${place}`;
  item.dataset.place = section.place;
  const title = document.createElement("b");
  title.textContent = section.heading && section.heading !== section.page ?
    `${section.page} › ${section.heading}` : section.page;
  const text = document.createElement("span");
  text.textContent = excerpt(section.text, words);
  item.append(title, text);
  item.addEventListener("mousedown", (event) => { event.preventDefault(); go(item); });
  return item;
}

function go(item) {
  location.href = `${root}/${item.dataset.place}`;
  close();
  query.blur();
}

async function search() {
  const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
  const all = await load();
  if (!words.length) return close();
  const found = all.map((section) => [score(section, words), section]).filter(([points]) => points > 0)
    .sort(([a], [b]) => b - a).slice(0, 12);
  results.replaceChildren(...found.map(([, section], place) => option(section, words, place)));
  if (!found.length) {
    const none = document.createElement("li");
    none.role = "option";
    none.className = "none";
    none.setAttribute("aria-disabled", "true");
    none.textContent = `Nothing has ${words.join(" and ")}.`;
    results.append(none);
  }
  results.hidden = false;
  query.setAttribute("aria-expanded", "true");
  choose(found.length ? 0 : -1);
}

query.disabled = false;
query.addEventListener("focus", load, { once: true });
query.addEventListener("input", search);
query.addEventListener("blur", close);
query.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
    event.preventDefault();
  } else if (event.key === "Enter" && chosen >= 0) go(results.querySelectorAll("[role=option]")[chosen]);
  else if (event.key === "Escape") close();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement === document.body) {
    query.focus();
    event.preventDefault();
  }
});
