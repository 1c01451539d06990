import { useEffect, useState } from "preact/hooks";
import type { ComponentType } from "preact";
import { get } from "../../api/client";
import { useResource } from "../../api/resource";
import type { Job } from "../../api/schema";
import type { PageProps } from "../../shell/routes";
import { ErrorBoundary } from "../../ui/ErrorBoundary";
import { Loading, Message, Problems } from "../../ui/Message";
import { StatusBadge } from "../../ui/StatusBadge";
import { Tabs } from "../../ui/Tabs";
import { useJobFeed } from "./feed";
import { TABS, type JobTabProps } from "./tabs";

export default function JobPage({ parameters }: PageProps) {
  const id = parameters["id"]!;
  return <OneJob key={id} id={id} tab={parameters["*"] || TABS[0]!.id} />;
}

function OneJob({ id, tab }: { id: string; tab: string }) {
  const { data: job, error, reload } = useResource((signal) => get<Job>(`/v1/jobs/${id}`, {}, signal), [id]);
  const feed = useJobFeed(id, job?.last_event);
  useEffect(() => feed.subscribe((events) => events.some((event) => event.kind !== "metrics") && reload()), [feed]);
  if (!job) return error ? <Problems error={error} retry={reload} /> : <Loading what="the job" />;
  return (
    <>
      <div class="row spread">
        <h1>{job.name}</h1>
        <StatusBadge status={job.status} />
      </div>
      <Tabs label="Parts of the job" current={tab} tabs={TABS.map((each) => ({ ...each, href: `/jobs/${id}/${each.id}` }))} />
      <ErrorBoundary key={tab}>
        <JobTab tab={tab} job={job} feed={feed} reload={reload} />
      </ErrorBoundary>
    </>
  );
}

function JobTab({ tab, ...props }: { tab: string } & JobTabProps) {
  const [shown, setShown] = useState<{ tab: string; View: ComponentType<JobTabProps> }>();
  const [error, setError] = useState<unknown>();
  const entry = TABS.find((each) => each.id === tab);
  useEffect(() => {
    entry?.load().then((module) => setShown({ tab, View: module.default }), setError);
  }, [tab]);
  if (!entry) return <Message title="A job has no such part" />;
  if (error !== undefined) return <Problems error={error} />;
  return shown?.tab === tab ? <shown.View {...props} /> : <Loading what={entry.label} />;
}
