import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "../../../api/client";
import type { Event, EventPage } from "../../../api/schema";
import type { JobFeed } from "../feed";
import { coalesced } from "./coalesce";

const FIRST = 1000; // events that are read when the page opens: the last ones
const PAGE = 500;
const REFRESH_MS = 700; // between two readings while events come

export interface EventLog {
  events: readonly Event[]; // in their order, without gaps
  earlier: number; // events before the first one that is here
  loading: boolean;
  error: unknown;
  loadEarlier: (count: number) => void;
}

/** The events of a job: the last ones, earlier ones when asked for, and those that come. */
export function useEvents(jobId: string, last: number, feed: JobFeed): EventLog {
  const [events, setEvents] = useState<readonly Event[]>([]);
  const [error, setError] = useState<unknown>();
  const [loading, setLoading] = useState(true);
  const known = useRef<{ events: readonly Event[]; start: number }>({ events: [], start: Math.max(0, last - FIRST) });
  const keep = (next: readonly Event[]) => setEvents((known.current.events = next));
  const guarded = async (read: (signal: AbortSignal) => Promise<void>, signal: AbortSignal) => {
    setLoading(true);
    try {
      await read(signal);
      setError(undefined);
    } catch (problem) {
      if (!signal.aborted) setError(problem);
    } finally {
      if (!signal.aborted) setLoading(false);
    }
  };
  const controller = useRef(new AbortController());
  useEffect(() => {
    controller.current = new AbortController();
    const { signal } = controller.current;
    const readNew = () =>
      guarded(async () => {
        const after = known.current.events.at(-1)?.id ?? known.current.start;
        const fresh = await readPages(jobId, after, Infinity, signal);
        if (fresh.length > 0) keep([...known.current.events, ...fresh]);
      }, signal);
    const { ask, stop } = coalesced(readNew, REFRESH_MS);
    const unsubscribe = feed.subscribe(() => ask());
    ask(true);
    return () => {
      controller.current.abort();
      stop();
      unsubscribe();
    };
  }, [jobId]);
  const loadEarlier = (count: number) => {
    const first = known.current.events[0]?.id ?? known.current.start + 1;
    const start = Math.max(0, first - 1 - count);
    void guarded(async (signal) => {
      const older = await readPages(jobId, start, first, signal);
      known.current.start = start;
      keep([...older, ...known.current.events]);
    }, controller.current.signal);
  };
  return { events, earlier: known.current.start, loading, error, loadEarlier };
}

/** All events with numbers between `after` and `before`, both excluded. */
export async function readPages(jobId: string, after: number, before: number, signal: AbortSignal): Promise<Event[]> {
  const events: Event[] = [];
  for (;;) {
    const room = Math.min(PAGE, before - (events.at(-1)?.id ?? after) - 1);
    if (room <= 0) return events;
    const page = await get<EventPage>(`/v1/jobs/${jobId}/events`, { after: events.at(-1)?.id ?? after, limit: room }, signal);
    events.push(...page.items.filter((event) => event.id < before));
    if (!page.has_more) return events;
  }
}
