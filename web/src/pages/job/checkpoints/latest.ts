import { useEffect, useState } from "preact/hooks";
import type { JobFeed } from "../feed";

/** The id of the last checkpoint that came while the page is open, "" before: a key for what is to be read again. */
export function useLastCheckpoint(feed: JobFeed): string {
  const [last, setLast] = useState("");
  useEffect(
    () =>
      feed.subscribe((events) => {
        const found = events.findLast((event) => event.kind === "checkpoint" || event.kind === "status");
        if (found) setLast(`${found.id}`);
      }) as () => void,
    [feed],
  );
  return last;
}
