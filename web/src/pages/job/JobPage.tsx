import { useEffect, useState } from "preact/hooks";
import type { ComponentType } from "preact";
import { get } from "../../api/client";
import { useResource } from "../../api/resource";
import type { Job } from "../../api/schema";
import type { PageProps } from "../../shell/routes";
import { ErrorBoundary } from "../../ui/ErrorBoundary";
import { Loading, Message, NotLoaded, Problems } from "../../ui/Message";
import { Tabs } from "../../ui/Tabs";
import { connectionOf, useJobFeed, type JobFeed } from "./feed";
import { JobHeader } from "./JobHeader";
import { TABS, type JobTabProps } from "./tabs";
import { progressOf, type Progress } from "../../curves/progress";
import "./job.css";

const WAITING_MS = 3000; // a place in the queue moves without an event of the job; a request that failed is tried again

/** The code of the part that the address names loads beside this module, and before the job is known. */
const named = location.pathname.split("/")[3] || TABS[0]!.id;
void TABS.find(({ id }) => id === named)?.load().catch(() => undefined);

export default function JobPage({ parameters }: PageProps) {
  const id = parameters["id"]!;
  return <OneJob key={id} id={id} tab={parameters["*"] || TABS[0]!.id} />;
}

function OneJob({ id, tab }: { id: string; tab: string }) {
  const [waiting, setWaiting] = useState(false);
  const { data: job, error, reload } = useResource((signal) => get<Job>(`/v1/jobs/${id}`, {}, signal), [id], waiting ? WAITING_MS : undefined);
  const feed = useJobFeed(id, job?.last_event);
  const progress = useProgress(job, feed);
  const View = useTab(tab);
  const state = feed.state.value;
  useEffect(() => setWaiting(job?.status === "queued" || error !== undefined), [job?.status, error]);
  useEffect(() => {
    if (job && (state === "live" || state === "done")) reload(); // the job may have moved on while no stream told of it
  }, [state]);
  useEffect(() => feed.subscribe((events) => events.some((event) => event.kind !== "metrics") && reload()), [feed]);
  useEffect(() => {
    if (job) document.title = `${job.name} · Graftwerk`;
  }, [job?.name]);
  if (!job) return error ? <Problems error={error} retry={reload} /> : <Loading what="the job" />;
  const connection = connectionOf(job.status, state, error);
  return (
    <>
      <JobHeader job={job} progress={progress} connection={connection} reload={reload} />
      <Tabs label="Parts of the job" current={tab} tabs={TABS.map((each) => ({ ...each, href: `/jobs/${id}/${each.id}` }))} />
      <ErrorBoundary key={tab}>
        <JobTab view={View} tab={tab} job={job} feed={feed} reload={reload} />
      </ErrorBoundary>
    </>
  );
}

/** The progress as the newest points tell it: the job is not read again for each of them. */
function useProgress(job: Job | undefined, feed: JobFeed): Progress {
  const [latest, setLatest] = useState<{ version: number; progress: Record<string, unknown> } | null>(null);
  const version = job?.version ?? 0;
  useEffect(
    () =>
      feed.subscribe((events) => {
        const told = events.findLast(({ kind, data }) => kind === "metrics" && data["progress"]);
        if (told) setLatest({ version, progress: told.data["progress"] as Record<string, unknown> });
      }),
    [feed, version],
  );
  return progressOf(latest?.version === version ? latest.progress : (job?.progress ?? {}));
}

interface LoadedTab {
  tab: string;
  View?: ComponentType<JobTabProps>; // none: it did not load
}

/** The code of a part of the page, which loads beside the job. */
function useTab(tab: string): LoadedTab {
  const [loaded, setLoaded] = useState<LoadedTab>({ tab: "" });
  useEffect(() => {
    const entry = TABS.find((each) => each.id === tab);
    entry?.load().then((module) => setLoaded({ tab, View: module.default }), () => setLoaded({ tab }));
  }, [tab]);
  return loaded;
}

function JobTab({ view, tab, ...props }: { view: LoadedTab; tab: string } & JobTabProps) {
  const entry = TABS.find((each) => each.id === tab);
  if (!entry) return <Message title="A job has no such part" />;
  if (view.tab !== tab) return <Loading what={entry.label} />;
  if (!view.View) return <NotLoaded what={entry.label} />;
  return <view.View {...props} />;
}
