import { navigate } from "../../shell/router";
import { ConfirmButton } from "../../ui/ConfirmButton";
import { toast } from "../../ui/Toast";
import { applies, type Verb } from "./rows";
import type { Selection } from "./selection";
import { actOn, type ACTIONS } from "./verbs";

interface Props {
  selection: Selection;
  trash: boolean;
  onClear: () => void;
  onDone: () => void; // after the jobs changed
}

const count = (number: number) => `${number} ${number === 1 ? "job" : "jobs"}`;

/** What can be done with the selected jobs. An action is for those of them that it applies to. */
export function SelectionBar({ selection, trash, onClear, onDone }: Props) {
  const jobs = [...selection.values()];
  const act = async (action: keyof typeof ACTIONS, on = jobs) => {
    try {
      toast(await actOn(on, action));
    } finally {
      onDone();
    }
  };
  const start = (action: keyof typeof ACTIONS, on = jobs) => void act(action, on).catch((error: unknown) => toast(error));
  const of = (verb: Verb) => jobs.filter((job) => applies(verb, job));
  return (
    <div class="jobs-selection panel row" role="region" aria-label="Selected jobs">
      <strong>{count(jobs.length)} selected</strong>
      {trash ? (
        <>
          <button type="button" onClick={() => start("restore")}>Restore</button>
          <ConfirmButton label="Delete for good" question={`Delete ${count(jobs.length)} for good?`} onConfirm={() => act("purge")}>
            <p>Their curves, checkpoints and weights are removed at once. Nobody can bring them back.</p>
          </ConfirmButton>
        </>
      ) : (
        <>
          <button type="button" disabled={jobs.length < 2} onClick={() => navigate(`/jobs/compare?${new URLSearchParams(jobs.map((job) => ["job", job.id]))}`)}>Compare</button>
          {(["pause", "resume", "retry"] as const).map((verb) => (
            <Action key={verb} verb={verb} number={of(verb).length} onClick={() => start(verb, of(verb))} />
          ))}
          <ConfirmButton label={labelled("Cancel", of("cancel").length)} disabled={of("cancel").length === 0} question={`Cancel ${count(of("cancel").length)}?`} onConfirm={() => act("cancel", of("cancel"))}>
            <p>They stop within seconds. What they have trained stays, and they can be queued again from there.</p>
          </ConfirmButton>
          <ConfirmButton label={labelled("Delete", of("delete").length)} disabled={of("delete").length === 0} question={`Delete ${count(of("delete").length)}?`} onConfirm={() => act("delete", of("delete"))}>
            <p>They move to the trash, from which they can be restored for a while. Jobs that have not ended are not deleted: cancel them first.</p>
          </ConfirmButton>
        </>
      )}
      <button type="button" class="plain" onClick={onClear}>Clear the selection</button>
    </div>
  );
}

const labelled = (label: string, number: number) => (number > 0 ? `${label} ${number}` : label);

function Action({ verb, number, onClick }: { verb: Verb; number: number; onClick: () => void }) {
  if (number === 0) return null;
  return <button type="button" onClick={onClick}>{labelled(verb[0]!.toUpperCase() + verb.slice(1), number)}</button>;
}
