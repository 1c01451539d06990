import { useState } from "preact/hooks";
import { post, remove } from "../../api/client";
import type { Job } from "../../api/schema";
import { hasScope } from "../../api/session";
import { navigate } from "../../shell/router";
import { ConfirmButton } from "../../ui/ConfirmButton";
import { toast } from "../../ui/Toast";
import { hasEnded } from "../../curves/progress";
import { verbsOf, type JobVerb } from "./verbs";

/** What can be done with the job. A button says what was asked for until the service says what became of it. */
export function JobActions({ job, reload }: { job: Job; reload: () => void }) {
  const [sent, setSent] = useState<string | null>(null);
  const may = hasScope("write");
  const send = async (verb: JobVerb) => {
    setSent(verb.verb);
    try {
      await post(`/v1/jobs/${job.id}/${verb.verb}`);
    } catch (error) {
      toast(error);
    }
    setSent(null);
    reload();
  };
  const removeJob = async () => {
    await remove(`/v1/jobs/${job.id}`);
    toast(`${job.name} is deleted; the list of deleted jobs can restore it`);
    navigate("/jobs");
  };
  return (
    <div class="row" role="group" aria-label="Actions">
      {verbsOf(job).map((verb) => {
        const pending = sent === verb.verb || (verb.wish !== undefined && job.wish === verb.wish);
        return (
          <button key={verb.verb} type="button" disabled={!may || pending || sent !== null} onClick={() => void send(verb)}>
            {pending ? verb.pending : verb.label}
          </button>
        );
      })}
      <a class="button" href={`/jobs/new?from=${job.id}`}>Duplicate</a>
      <a class="button" href={`/jobs/compare?job=${job.id}`}>Compare</a>
      {hasEnded(job.status) && (
        <ConfirmButton label="Delete" question={`Delete ${job.name}?`} disabled={!may} onConfirm={removeJob}>
          <p>Its curves, checkpoints and files are hidden at once, and removed for good after some days. Until then it can be restored.</p>
        </ConfirmButton>
      )}
    </div>
  );
}
