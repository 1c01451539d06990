import { useEffect, useState } from "preact/hooks";
import { get } from "../../api/client";
import type { Hold, Job, JobSummary } from "../../api/schema";
import { formatDuration } from "../../ui/format";
import { createLane } from "./lane";

const REFRESH_MS = 15_000;
// The place in the queue is computed for each job that is read: one row in view at a time, and most of the time none.
const lane = createLane({ atOnce: 1, rest: 4 });

export interface QueuePlace {
  position: number | null;
  startsAt: string | null;
  heldBy: Hold | null;
  at: number;
}

const known = new Map<string, QueuePlace>();

/** The place in the queue of a row in view, a few seconds old at least; undefined while it is not known. */
export function useQueuePlace(job: JobSummary, inView: boolean): QueuePlace | undefined {
  const [turn, setTurn] = useState(0);
  const queued = job.status === "queued";
  useEffect(() => {
    if (!queued || !inView) return;
    const controller = new AbortController();
    const wait = (known.get(job.id)?.at ?? 0) + REFRESH_MS - Date.now();
    const timer = setTimeout(() => {
      lane.run(() => get<Job>(`/v1/jobs/${job.id}`, {}, controller.signal), controller.signal).then(
        ({ position, starts_at: startsAt, held_by: heldBy }) => {
          known.set(job.id, { position, startsAt, heldBy, at: Date.now() });
          setTurn((n) => n + 1);
        },
        () => !controller.signal.aborted && setTimeout(() => setTurn((n) => n + 1), REFRESH_MS),
      );
    }, Math.max(0, wait));
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [job.id, queued, inView, turn]);
  return queued ? known.get(job.id) : undefined;
}

/** Why a job waits, for people. */
export const HOLDS: Record<Hold, string> = {
  not_before: "not before its time",
  running_limit: "its key runs as many jobs as it may",
  no_worker: "no worker serves this queue",
  no_device: "no worker has the device that it needs",
};

export function describePlace({ position, startsAt, heldBy }: QueuePlace, notBefore: string | null, now = Date.now()): string {
  const place = position === null ? "" : position === 1 ? "next" : `place ${position.toLocaleString("en")}`;
  const until = (time: string) => formatDuration(Math.max(0, (Date.parse(time) - now) / 1000));
  if (heldBy === "not_before") return notBefore ? `waits for its time, in ${until(notBefore)}` : HOLDS[heldBy];
  const why = heldBy ? HOLDS[heldBy] : startsAt ? (Date.parse(startsAt) - now < 2000 ? "starts now" : `starts in about ${until(startsAt)}`) : "";
  return [place, why].filter(Boolean).join(", ");
}
