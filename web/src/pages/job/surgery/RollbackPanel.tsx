import { useEffect, useState } from "preact/hooks";
import { get, post } from "../../../api/client";
import { useResource } from "../../../api/resource";
import type { Checkpoint, CheckpointPage } from "../../../api/schema";
import { ConfirmButton } from "../../../ui/ConfirmButton";
import { Field } from "../../../ui/Field";
import { toast } from "../../../ui/Toast";
import { formatNumber, toNumber } from "../../../ui/format";
import type { JobTabProps } from "../tabs";

interface Props extends Pick<JobTabProps, "job" | "feed"> {
  waiting: number; // edits that are not applied yet
  onDone: () => void;
}

/** Let the job go on from a listed checkpoint, as a new revision. */
export function RollbackPanel({ job, feed, waiting, onDone }: Props) {
  const { data, reload } = useResource((signal) => get<CheckpointPage>(`/v1/jobs/${job.id}/checkpoints`, {}, signal), [job.id, job.revision, job.status]);
  useEffect(() => feed.subscribe((events) => events.some(({ kind }) => kind === "checkpoint") && reload()), [feed, reload]);
  const [chosen, setChosen] = useState<Checkpoint>();
  const kept = data?.items ?? [];
  const proposed = kept.find((each) => each.revision !== job.revision) ?? kept[0];
  const checkpoint = chosen ?? proposed;
  useEffect(() => {
    if (!chosen && proposed) setChosen(proposed); // it stays, whatever the job saves and removes meanwhile
  }, [chosen, proposed]);
  if (!checkpoint) return null;
  const checkpoints = kept.some(({ id }) => id === checkpoint.id) ? kept : [checkpoint, ...kept];
  const rollBack = async () => {
    await post(`/v1/jobs/${job.id}/rollback`, { revision: checkpoint.revision, step: checkpoint.step });
    toast(`The job goes on from step ${checkpoint.step} of revision ${checkpoint.revision}.`);
    onDone();
  };
  return (
    <section class="panel" aria-label="Roll back">
      <h2>Roll back</h2>
      <Field label="To a checkpoint" hint="The job goes on from there, as a new revision. Nothing is deleted: one can come back.">
        {(attributes) => (
          <select {...attributes} value={checkpoint.id} onChange={(event) => setChosen(checkpoints.find(({ id }) => id === event.currentTarget.value))}>
            {checkpoints.map((each) => <option key={each.id} value={each.id}>{labelOf(each)}</option>)}
          </select>
        )}
      </Field>
      <ConfirmButton label="Roll back" question={`Go back to step ${checkpoint.step.toLocaleString("en")} of revision ${checkpoint.revision}?`} onConfirm={rollBack}>
        <p>The job's attempt is ended and goes on from there. Its curves are cut at that step.</p>
        {waiting > 0 && <p>{waiting} {waiting === 1 ? "edit that waits is" : "edits that wait are"} withdrawn.</p>}
      </ConfirmButton>
    </section>
  );
}

function labelOf({ revision, step, values }: Checkpoint): string {
  const told = ["val/return", "val/loss", "train/loss"].find((name) => name in values);
  const value = told && `, ${told.split("/")[1]} ${formatNumber(toNumber(values[told]))}`;
  return `revision ${revision}, step ${step.toLocaleString("en")}${value ?? ""}`;
}
