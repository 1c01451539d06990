const KEY = "graftwerk-reloaded";
const APART_MS = 10_000; // between two reloads by themselves: code that stays away is no reason for a third
const RETRY_MS = 2000;

/** Whether the service answers. */
async function isReachable(): Promise<boolean> {
  try {
    return (await fetch("/livez", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

/**
 * Load the tab anew as soon as the service answers, unless that was done a moment ago. A browser that is offline would
 * otherwise put its own page in the place of this one.
 */
export async function reloadWhenReachable(): Promise<void> {
  if (Date.now() - Number(sessionStorage.getItem(KEY)) < APART_MS) return;
  while (!(await isReachable())) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  sessionStorage.setItem(KEY, String(Date.now()));
  location.reload();
}
