/** Texts that were written and not submitted, by where they began: they outlive a reload, a crash and a sign-out. */
export interface Draft {
  text: string;
  at: number; // milliseconds since 1970
}

const PREFIX = "graftwerk-draft:";
const KEPT = 20;

const keyOf = (owner: string, source: string): string => `${PREFIX}${owner}:${source}`;

export function readDraft(owner: string, source: string): Draft | null {
  try {
    const draft = JSON.parse(localStorage.getItem(keyOf(owner, source)) ?? "null") as Partial<Draft> | null;
    return typeof draft?.text === "string" ? { text: draft.text, at: Number(draft.at) || 0 } : null;
  } catch {
    return null;
  }
}

/** Keep a text; returns whether the browser had room for it. */
export function saveDraft(owner: string, source: string, text: string): boolean {
  try {
    localStorage.setItem(keyOf(owner, source), JSON.stringify({ text, at: Date.now() } satisfies Draft));
    removeOldest();
    return true;
  } catch {
    return false;
  }
}

export function removeDraft(owner: string, source: string): void {
  localStorage.removeItem(keyOf(owner, source));
}

function removeOldest(): void {
  const keys = Array.from({ length: localStorage.length }, (_, index) => localStorage.key(index)!).filter((key) => key.startsWith(PREFIX));
  if (keys.length <= KEPT) return;
  const age = (key: string) => (JSON.parse(localStorage.getItem(key) ?? "{}") as Partial<Draft>).at ?? 0;
  for (const key of keys.sort((a, b) => age(b) - age(a)).slice(KEPT)) localStorage.removeItem(key);
}
