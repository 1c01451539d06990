import type { ComponentChildren } from "preact";
import { ApiError } from "../../../api/problem";
import type { ProblemDetail } from "../../../api/schema";
import { CopyButton } from "../../../ui/CopyButton";
import { Field } from "../../../ui/Field";
import { Problems } from "../../../ui/Message";
import { describeOperation, documentOf, problemsByOperation, type Draft } from "./draft";
import { TriggerForm } from "./TriggerForm";

interface Props {
  jobId: string;
  draft: Draft;
  series: readonly string[];
  step: number;
  revision: number; // of the job
  target: number; // the revision that an edit sent now would meet
  error: unknown; // of the last dry run or submission
  busy: boolean;
  onChange: (draft: Draft) => void;
  onTry: () => void;
  onApply: () => void;
  onDiscard: () => void;
  children: ComponentChildren; // what a dry run found
}

/** The edit that is being put together: operations in order, when it is applied, and what is wrong with it. */
export function DraftPanel(props: Props) {
  const { draft, error, busy, onChange, target } = props;
  const problems = error instanceof ApiError ? error.errors : [];
  const placed = problemsByOperation(problems, draft.operations.length);
  const stale = (error instanceof ApiError && error.code === "stale_revision") || draft.expected !== target;
  const drop = (place: number) => onChange({ ...draft, operations: draft.operations.filter((_, index) => index !== place) });
  return (
    <section class="panel" aria-label="The edit">
      <div class="row spread">
        <h2>The edit <span class="muted">for revision {draft.expected}</span></h2>
        <button type="button" class="plain" onClick={props.onDiscard}>Discard</button>
      </div>
      {stale && <Stale jobId={props.jobId} expected={draft.expected} revision={props.revision} target={target} onTake={() => onChange({ ...draft, expected: target })} />}
      <ol class="surgery-operations">
        {draft.operations.map((operation, index) => (
          <li key={index} class={placed.has(index) ? "wrong" : ""}>
            <div class="row spread">
              <span>{describeOperation(operation)}</span>
              <button type="button" class="plain" aria-label={`Remove operation ${index + 1}`} onClick={() => drop(index)}>×</button>
            </div>
            {(placed.get(index) ?? []).map((problem) => <OperationProblem key={problem.pointer + problem.code} problem={problem} />)}
          </li>
        ))}
      </ol>
      <TriggerForm at={draft.at} series={props.series} step={props.step} onChange={(at) => onChange({ ...draft, at })} />
      <Field label="Comment (optional)">
        {(attributes) => <input {...attributes} maxLength={1000} value={draft.comment} onInput={(event) => onChange({ ...draft, comment: event.currentTarget.value })} />}
      </Field>
      {error !== undefined && !(error instanceof ApiError && error.code === "stale_revision") && (placed.has(-1) || !problems.length) && <Problems error={error} />}
      <div class="row">
        <button type="button" disabled={busy || !draft.operations.length || draft.at === null} onClick={props.onTry}>{busy ? "Checking…" : "Dry run"}</button>
        <button type="button" class="primary" disabled={busy || !draft.operations.length || draft.at === null} onClick={props.onApply}>Apply</button>
        {draft.at === null && <span class="hint">Say when it is to be applied.</span>}
      </div>
      {props.children}
      <JsonView document={documentOf(draft)} jobId={props.jobId} />
    </section>
  );
}

function OperationProblem({ problem }: { problem: ProblemDetail }) {
  return (
    <p class="error" role="alert">
      {problem.detail} <code>{problem.pointer.replace(/^\/operations\/\d+/, "") || problem.code}</code>
      {problem.hint && <span class="hint"> {problem.hint}</span>}
    </p>
  );
}

interface StaleProps {
  jobId: string;
  expected: number;
  revision: number;
  target: number;
  onTake: () => void;
}

/** An edit that was written for a revision which the job no longer has, or will no longer have. */
function Stale({ jobId, expected, revision, target, onTake }: StaleProps) {
  if (target === expected) return <div class="notice warning" role="alert"><p>The job was edited a moment ago: reading what it is now…</p></div>;
  return (
    <div class="notice warning" role="alert">
      <p>This edit was written for revision {expected}, but the job is, or will be, at revision {target}: someone has edited it, or a rule of its plan has.</p>
      <div class="row">
        {revision > expected && <a href={`/jobs/${jobId}/network?with=${expected}`}>What changed</a>}
        <button type="button" onClick={onTake}>Write it for revision {target}</button>
      </div>
    </div>
  );
}

function JsonView({ document, jobId }: { document: object; jobId: string }) {
  const text = JSON.stringify(document, null, 2);
  const command = `curl -X POST -H "Authorization: Bearer $GRAFTWERK_KEY" -H "Content-Type: application/json" \\\n  -d '${JSON.stringify(document).replaceAll("'", "'\\''")}' ${location.origin}/v1/jobs/${jobId}/edits`;
  return (
    <details>
      <summary>As JSON</summary>
      <pre tabIndex={0}>{text}</pre>
      <div class="row">
        <CopyButton text={text} label="Copy the JSON" />
        <CopyButton text={command} label="Copy as curl" />
      </div>
    </details>
  );
}
