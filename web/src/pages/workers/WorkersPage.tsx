import { get } from "../../api/client";
import { useResource } from "../../api/resource";
import type { JobPage, JobSummary, WorkerPage } from "../../api/schema";
import { formatDuration, formatNumber } from "../../ui/format";
import { Loaded } from "../../ui/Loaded";
import { Message } from "../../ui/Message";
import { rateOf } from "./rates";
import { WorkerPanel } from "./WorkerPanel";
import "./workers.css";

const REFRESH_MS = 3000;
const LISTED = 200; // jobs of a status; more are counted as "200+"

interface State {
  workers: WorkerPage;
  running: JobPage;
  queued: JobPage;
}

async function load(signal: AbortSignal): Promise<State> {
  const jobs = (status: string) => get<JobPage>("/v1/jobs", { status, limit: LISTED }, signal);
  const [workers, running, queued] = await Promise.all([get<WorkerPage>("/v1/workers", {}, signal), jobs("running"), jobs("queued")]);
  return { workers, running, queued };
}

/** The workers: their slots, what runs where, and what waits for them. */
export default function WorkersPage() {
  const resource = useResource(load, [], REFRESH_MS);
  return (
    <>
      <h1>Workers</h1>
      <Loaded resource={resource} what="workers">{(state) => <Workers {...state} />}</Loaded>
    </>
  );
}

function Workers({ workers, running, queued }: State) {
  const live = workers.items.filter(({ state }) => state === "listening" || state === "deaf");
  const slots = live.reduce((sum, worker) => sum + worker.slots, 0);
  const free = live.reduce((sum, worker) => sum + (worker.free ?? 0), 0);
  const rate = running.items.reduce((sum, job) => sum + rateOf(job), 0);
  return (
    <>
      <dl class="figures">
        <Figure label="Slots in use" value={`${slots - free} of ${slots}`} />
        <Figure label="Jobs running" value={countOf(running)} />
        <Figure label="Jobs waiting" value={countOf(queued)} />
        <Figure label="Steps per second, all jobs" value={formatNumber(rate, 3)} />
        <Figure label="Clock of the API beside the database's" value={`${workers.clock_skew_seconds >= 0 ? "+" : "−"}${Math.abs(workers.clock_skew_seconds).toFixed(3)} s`} />
      </dl>
      {workers.items.length === 0 && (
        <Message title="No worker has run in the last hour">
          Jobs wait until one starts: <code>graftwerk up</code>, or <code>python -m workers</code> on another machine.
        </Message>
      )}
      <div class="grid">
        {workers.items.map((worker) => (
          <WorkerPanel key={worker.name} worker={worker} jobs={running.items.filter((job) => job.worker === worker.name)} />
        ))}
      </div>
      <Queues queued={queued} />
    </>
  );
}

function Figure({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Queues({ queued }: { queued: JobPage }) {
  if (queued.items.length === 0) return null;
  const queues = group(queued.items);
  return (
    <section>
      <h2>Queues</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Queues">
        <table>
          <thead>
            <tr><th>Queue</th><th class="number">Waiting</th><th>Longest wait</th></tr>
          </thead>
          <tbody>
            {[...queues].map(([name, jobs]) => (
              <tr key={name}>
                <td><a href="/jobs?status=queued">{name}</a></td>
                <td class="number">{jobs.length}{queued.has_more && "+"}</td>
                <td>{formatDuration(Math.max(...jobs.map((job) => (Date.now() - Date.parse(job.created_at)) / 1000)))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function group(jobs: readonly JobSummary[]): Map<string, JobSummary[]> {
  const queues = new Map<string, JobSummary[]>();
  for (const job of jobs) queues.set(job.queue, [...(queues.get(job.queue) ?? []), job]);
  return queues;
}

const countOf = (page: JobPage): string => `${page.items.length}${page.has_more ? "+" : ""}`;
