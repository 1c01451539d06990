import { signal } from "@preact/signals";

/** Whether the page can be seen: a hidden one asks for nothing and holds no stream. */
export const pageVisible = signal(document.visibilityState !== "hidden");

document.addEventListener("visibilitychange", () => {
  pageVisible.value = document.visibilityState !== "hidden";
});
