import { setQuery } from "../../shell/router";

const KEY = "graftwerk-pages"; // which page was left for which, so that there is a way back

const leftFor = (): Record<string, string> => JSON.parse(sessionStorage.getItem(KEY) ?? "{}") as Record<string, string>;

/** Older and newer jobs: a page begins after the last job of the one before, however many came meanwhile. */
export function Pages({ after, last, hasMore }: { after: string | null; last: string | null; hasMore: boolean }) {
  const go = (to: string | null) => {
    setQuery({ after: to }, { replace: false });
    scrollTo(0, 0);
  };
  const older = () => {
    sessionStorage.setItem(KEY, JSON.stringify({ ...leftFor(), [last!]: after ?? "" }));
    go(last);
  };
  const before = after === null ? undefined : leftFor()[after];
  if (after === null && !hasMore) return null;
  return (
    <nav class="row end jobs-pages" aria-label="Pages of jobs">
      {after !== null && <button type="button" onClick={() => go(null)}>Newest</button>}
      {before && <button type="button" onClick={() => go(before)}>Newer</button>}
      <button type="button" disabled={!hasMore} onClick={older}>Older</button>
    </nav>
  );
}
