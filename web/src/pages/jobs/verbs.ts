import { post, remove } from "../../api/client";
import type { JobSummary } from "../../api/schema";
import { messageOf } from "../../ui/Message";

const AT_ONCE = 4;
const path = (job: JobSummary, verb: string) => `/v1/jobs/${job.id}/${verb}`;

/** What can be done to several jobs at once, and what is said when it is done. */
export const ACTIONS = {
  cancel: { done: "cancelled", send: (job: JobSummary) => post(path(job, "cancel")) },
  pause: { done: "paused", send: (job: JobSummary) => post(path(job, "pause")) },
  resume: { done: "resumed", send: (job: JobSummary) => post(path(job, "resume")) },
  retry: { done: "queued again", send: (job: JobSummary) => post(path(job, "retry")) },
  delete: { done: "moved to the trash", send: (job: JobSummary) => remove(`/v1/jobs/${job.id}`) },
  restore: { done: "restored", send: (job: JobSummary) => post(path(job, "restore")) },
  purge: { done: "deleted for good", send: (job: JobSummary) => remove(`/v1/jobs/${job.id}`, { purge: true }) },
} as const;

/** Do something to each job, a few at a time. Returns what happened in a sentence; rejects if no job took it. */
export async function actOn(jobs: readonly JobSummary[], action: keyof typeof ACTIONS): Promise<string> {
  const { done, send } = ACTIONS[action];
  const waiting = [...jobs];
  const failures: string[] = [];
  const work = async () => {
    for (let job = waiting.shift(); job; job = waiting.shift()) {
      try {
        await send(job);
      } catch (error) {
        failures.push(`${job.name}: ${messageOf(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const count = jobs.length - failures.length;
  const told = `${count} ${count === 1 ? "job" : "jobs"} ${done}`;
  if (failures.length === 0) return told;
  throw new Error(`${told}; ${failures.length} refused. ${failures[0]}`);
}
