import { useRef, useState } from "preact/hooks";
import { get, type Query } from "../../api/client";
import { useResource } from "../../api/resource";
import type { JobPage } from "../../api/schema";
import { apiQuery, type Filters } from "./filters";
import { mergeRows, successorOf, type Row } from "./rows";

export const PAGE_SIZE = 50;
const REFRESH_MS = 4000;
const MOST_COUNTED = 20; // new jobs, of which a larger number is told as "20 or more"

export interface JobList {
  rows: Row[] | undefined; // undefined until the first ones came
  hasMore: boolean;
  fresh: number; // jobs that came since the page was opened, and are not among the rows
  at: number; // when the rows were last loaded, in milliseconds of Date.now()
  error: unknown;
  reload: () => void;
  showFresh: () => void; // begin with the newest job, and leave out what left the list
}

interface Loaded {
  rows: Row[];
  hasMore: boolean;
  fresh: number;
  at: number;
}

/** A page of jobs, loaded anew every few seconds; its rows keep their places until another page is asked for. */
export function useJobs(filters: Filters, after: string | null): JobList {
  const [round, setRound] = useState(0);
  const view = JSON.stringify([filters, after, round]);
  const shown = useRef<{ view: string; rows: Row[] }>({ view: "", rows: [] });
  const load = async (signal: AbortSignal): Promise<Loaded> => {
    const before = shown.current.view === view ? shown.current.rows : [];
    const first = before[0]?.job.id;
    const query: Query = { ...apiQuery(filters), limit: PAGE_SIZE, after: after ?? (first ? successorOf(first) : null) };
    const page = await get<JobPage>("/v1/jobs", query, signal);
    const fresh = first && after === null ? await countNewer(first, filters, signal) : 0;
    const rows = mergeRows(before, page.items, !page.has_more);
    shown.current = { view, rows };
    return { rows, hasMore: page.has_more, fresh, at: Date.now() };
  };
  const { data, error, reload } = useResource(load, [view], REFRESH_MS);
  return {
    rows: data?.rows,
    hasMore: data?.hasMore ?? false,
    fresh: data?.fresh ?? 0,
    at: data?.at ?? 0,
    error,
    reload,
    showFresh: () => setRound((n) => n + 1),
  };
}

async function countNewer(id: string, filters: Filters, signal: AbortSignal): Promise<number> {
  const newest = await get<JobPage>("/v1/jobs", { ...apiQuery(filters), limit: MOST_COUNTED }, signal);
  return newest.items.filter((job) => job.id > id).length;
}

export const describeFresh = (count: number): string => {
  const number = count >= MOST_COUNTED ? `${MOST_COUNTED} or more` : String(count);
  return `${number} new ${count === 1 ? "job" : "jobs"}`;
};
