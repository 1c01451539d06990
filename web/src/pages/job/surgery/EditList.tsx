import { useState } from "preact/hooks";
import { remove } from "../../../api/client";
import type { Edit } from "../../../api/schema";
import { ConfirmButton } from "../../../ui/ConfirmButton";
import { CopyButton } from "../../../ui/CopyButton";
import { Time } from "../../../ui/Time";
import { aroundStep, describeOperation, describeTrigger } from "./draft";

const STATES: Record<Edit["state"], [string, string]> = {
  accepted: ["waits", "running"], applied: ["applied", "succeeded"], rejected: ["rejected", "failed"], withdrawn: ["withdrawn", ""],
};

/** Every edit and rollback of a job, newest first. */
export function EditList({ jobId, edits, reload }: { jobId: string; edits: Edit[]; reload: () => void }) {
  if (!edits.length) return <p class="muted">The job has not been edited.</p>;
  const last = edits.findLast((edit) => edit.state === "accepted" && !edit.withdraw_requested)?.id ?? null;
  return (
    <ul class="surgery-edits">
      {edits.toReversed().map((edit) => <EditRow key={edit.id} jobId={jobId} edit={edit} last={last} reload={reload} />)}
    </ul>
  );
}

interface RowProps {
  jobId: string;
  edit: Edit;
  last: number | null; // the last edit that waits, which is withdrawn before the others
  reload: () => void;
}

function EditRow({ jobId, edit, last, reload }: RowProps) {
  const [open, setOpen] = useState(false);
  const [label, style] = STATES[edit.state];
  const json = JSON.stringify({ at: edit.at, operations: edit.operations, ...(edit.comment && { comment: edit.comment }) }, null, 2);
  return (
    <li class="panel">
      <div class="row spread">
        <strong>Edit {edit.id}{edit.origin !== "user" && ` (${edit.origin})`}</strong>
        <span class={`status ${style}`}>{edit.withdraw_requested ? "is being withdrawn" : label}</span>
      </div>
      <p>{edit.checkpoint ? `Back to revision ${edit.parent}, step ${edit.step?.toLocaleString("en")}` : edit.operations.map((operation) => describeOperation(operation)).join("; ")}</p>
      <p class="muted">
        {edit.state === "applied" && edit.step !== null ? (
          <>
            revision {edit.revision}, <a href={`/jobs/${jobId}/curves?${aroundStep(edit.step)}`}>at step {edit.step.toLocaleString("en")} of the curves</a>
            {edit.revision !== null && edit.parent !== null && <>, <a href={`/jobs/${jobId}/network?revision=${edit.revision}&with=${edit.parent}`}>what changed</a></>}
          </>
        ) : (
          describeTrigger(edit.at)
        )}
        {" · "}<Time at={edit.ended_at ?? edit.created_at} />
        {edit.comment && <> · “{edit.comment}”</>}
      </p>
      {edit.problems.map((problem) => (
        <p key={problem.pointer + problem.code} class="error">{problem.pointer && <code>{problem.pointer}</code>} {problem.detail} {problem.hint && <span class="hint">{problem.hint}</span>}</p>
      ))}
      <div class="row">
        {!edit.checkpoint && <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>JSON</button>}
        {edit.state === "accepted" && !edit.withdraw_requested && edit.id !== last && <span class="hint">Edit {last} was checked with it, and is withdrawn first.</span>}
        {edit.id === last && (
          <ConfirmButton label="Withdraw" question={`Withdraw edit ${edit.id}?`} onConfirm={() => remove(`/v1/jobs/${jobId}/edits/${edit.id}`).then(reload)}>
            <p>The job goes on without it.</p>
          </ConfirmButton>
        )}
      </div>
      {open && <><pre tabIndex={0}>{json}</pre><CopyButton text={json} /></>}
    </li>
  );
}
