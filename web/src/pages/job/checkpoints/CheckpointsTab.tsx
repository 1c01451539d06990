import { useState } from "preact/hooks";
import { get } from "../../../api/client";
import { useResource } from "../../../api/resource";
import type { CheckpointPage, Job } from "../../../api/schema";
import { queryParameters, setQuery } from "../../../shell/router";
import { isRecord } from "../../../ui/data";
import { Loading, Message, Problems } from "../../../ui/Message";
import type { JobTabProps } from "../tabs";
import { CheckpointCard } from "./CheckpointCard";
import { CheckpointTable } from "./CheckpointTable";
import { Comparison } from "./Comparison";
import { shownSeries } from "./compare";
import { useLastCheckpoint } from "./latest";
import "./checkpoints.css";

export default function CheckpointsTab({ job, feed, reload }: JobTabProps) {
  const latest = useLastCheckpoint(feed);
  const { data, error, reload: again } = useResource((signal) => get<CheckpointPage>(`/v1/jobs/${job.id}/checkpoints`, {}, signal), [job.id, latest]);
  const [marked, setMarked] = useState<readonly string[]>([]);
  const open = queryParameters.value.get("open");
  if (!data) return error === undefined ? <Loading what="checkpoints" /> : <Problems error={error} retry={again} />;
  if (data.items.length === 0) return <NoCheckpoints job={job} />;
  const chosen = marked.flatMap((id) => data.items.find((each) => each.id === id) ?? []);
  const opened = data.items.find((each) => each.id === open);
  const mark = (id: string, on: boolean) => setMarked(on ? [...marked, id].slice(-2) : marked.filter((each) => each !== id));
  return (
    <>
      {error !== undefined && <Problems error={error} retry={again} />}
      <CheckpointTable
        items={data.items} series={shownSeries(data.items, monitorOf(job), 6)} open={open} marked={marked} onMark={mark}
        onOpen={(id) => setQuery({ open: id === open ? null : id })}
      />
      <p class="hint">Mark two to compare them. The best is that of the plan's {monitorOf(job) ?? "monitored value"}: predictions and downloads of the job take it.</p>
      {chosen.length === 2 && <Comparison jobId={job.id} first={chosen[0]!} second={chosen[1]!} />}
      {opened && <CheckpointCard job={job} checkpoint={opened} onRolledBack={reload} />}
    </>
  );
}

function monitorOf(job: Job): string | null {
  const training = job.spec["training"];
  const checkpoint = isRecord(training) ? training["checkpoint"] : null;
  const monitor = isRecord(checkpoint) ? checkpoint["monitor"] : null;
  const best = job.result?.["best"];
  return typeof monitor === "string" ? monitor : isRecord(best) ? String(best["monitor"]) : null;
}

function NoCheckpoints({ job }: { job: Job }) {
  if (["queued", "running", "paused"].includes(job.status)) return <Message title="No checkpoint yet">The first one comes at an evaluation, or after the time that the plan says.</Message>;
  return <Message title="No checkpoint">The job ended before its first one.</Message>;
}
