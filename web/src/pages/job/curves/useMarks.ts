import { useEffect, useState } from "preact/hooks";
import { get } from "../../../api/client";
import type { Curves, EventPage } from "../../../api/schema";
import { toNumber } from "../../../ui/format";
import type { JobFeed } from "../feed";
import { between, happeningOf, MARKED_KINDS, type Happening } from "./marks";

const PAGE = 500;
const MOST = 4000; // events; a page is no log

/** What happened to a job, as it comes. Warnings tell no step: the points of a curve tell when each step was. */
export function useMarks(jobId: string, feed: JobFeed, series: string | undefined, step: number): Happening[] {
  const [happenings, setHappenings] = useState<Happening[]>([]);
  useEffect(() => {
    const controller = new AbortController();
    readHappenings(jobId, controller.signal).then(
      (found) => setHappenings((live) => [...found, ...live.filter(({ id }) => id > (found.at(-1)?.id ?? 0))]),
      () => undefined, // the curves are there without them
    );
    return () => controller.abort();
  }, [jobId]);
  useEffect(
    () =>
      feed.subscribe((events) => {
        const found = events.flatMap((event) => happeningOf(event, Date.now() / 1000, step) ?? []);
        if (found.length) setHappenings((known) => [...known, ...found.filter(({ id }) => !known.some((each) => each.id === id))]);
      }),
    [feed, step],
  );
  const unplaced = happenings.some((happening) => happening.step === null);
  useEffect(() => {
    if (!unplaced || series === undefined) return;
    const controller = new AbortController();
    get<Curves>(`/v1/jobs/${jobId}/metrics`, { names: series, x: "time", max_points: 500 }, controller.signal).then((curves) => {
      const columns = curves.series[series]!;
      const times = columns.x.map(toNumber);
      setHappenings((known) => known.map((each) => (each.step === null && each.time !== null ? { ...each, step: Math.round(between(times, columns.step, each.time) ?? 0) } : each)));
    }, () => undefined);
    return () => controller.abort();
  }, [unplaced, series, jobId]);
  return happenings;
}

async function readHappenings(jobId: string, signal: AbortSignal): Promise<Happening[]> {
  const found: Happening[] = [];
  for (let after = 0; found.length < MOST; ) {
    const page = await get<EventPage>(`/v1/jobs/${jobId}/events`, { kinds: MARKED_KINDS.join(","), after, limit: PAGE }, signal);
    found.push(...page.items.flatMap((event) => happeningOf(event, Date.parse(event.at) / 1000, null) ?? []));
    if (!page.has_more) break;
    after = page.items.at(-1)!.id;
  }
  return found;
}
