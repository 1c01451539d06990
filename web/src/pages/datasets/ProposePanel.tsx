import { useState } from "preact/hooks";
import { post } from "../../api/client";
import type { ColumnRole, Dataset, Proposal } from "../../api/schema";
import { Field } from "../../ui/Field";
import { Problems } from "../../ui/Message";
import { roleText } from "./columns";

const NO_TARGETS = new Set(["text", "image", "series", "tree", "datetime"]); // the API refuses them with the reason
const TASKS = { "": "as the column says", classes: "classes", numbers: "a quantity", labels: "several labels at once", tags: "a tag for every word" } as const;

interface Proposed {
  target: string;
  proposal: Proposal;
  roles: ColumnRole[];
}

/** Choose what is to be learned: the service proposes a whole job, with a reason for each choice. */
export function ProposePanel({ dataset }: { dataset: Dataset }) {
  const columns = dataset.data_schema!.columns;
  const [target, setTarget] = useState(dataset.data_schema!.target ?? columns.at(-1)?.name ?? "");
  const [task, setTask] = useState<keyof typeof TASKS>("");
  const [busy, setBusy] = useState(false);
  const [found, setFound] = useState<Proposed>();
  const [error, setError] = useState<unknown>();
  const ask = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const proposal = await post<Proposal>(`/v1/datasets/${dataset.id}/propose`, { target, ...(task && { task }) }, { idempotent: false });
      const checked = await post<{ columns?: ColumnRole[] }>("/v1/jobs/validate", proposal.spec, { idempotent: false });
      setFound({ target, proposal, roles: checked.columns ?? [] });
    } catch (problem) {
      setFound(undefined);
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <section class="panel datasets-propose">
      <h2>Propose a job</h2>
      <form class="datasets-propose-form" onSubmit={(event) => (event.preventDefault(), void ask())}>
        <Field label="Column to learn">
          {(attributes) => (
            <select {...attributes} value={target} onChange={(event) => setTarget(event.currentTarget.value)}>
              {columns.map(({ name, type }) => <option key={name} value={name}>{name} ({type}{NO_TARGETS.has(type) ? ", cannot be learned" : ""})</option>)}
            </select>
          )}
        </Field>
        <Field label="Taken as">
          {(attributes) => (
            <select {...attributes} value={task} onChange={(event) => setTask(event.currentTarget.value as keyof typeof TASKS)}>
              {Object.entries(TASKS).map(([value, label]) => <option key={value} value={value}>{label}</option>)}
            </select>
          )}
        </Field>
        <button type="submit" class="primary" disabled={busy || !target}>{busy ? "Thinking…" : "Propose"}</button>
      </form>
      {error !== undefined && <Problems error={error} />}
      {found && <ProposalResult dataset={dataset} found={found} />}
    </section>
  );
}

function ProposalResult({ dataset, found: { target, proposal, roles } }: { dataset: Dataset; found: Proposed }) {
  const href = `/jobs/new?${new URLSearchParams({ dataset: dataset.id, target })}`;
  return (
    <div aria-live="polite">
      <div class="row"><h3 class="grow">A job that learns “{target}”</h3><a class="button primary" href={href}>Open in the editor</a></div>
      {proposal.warnings.map((each) => <div class="notice warning" key={each.pointer + each.code}><p>{each.detail}</p>{each.hint && <p class="hint">{each.hint}</p>}</div>)}
      <dl class="datasets-reasons">
        {proposal.reasons.map((reason) => <><dt><code>{reason.pointer}</code></dt><dd>{reason.text}</dd></>)}
      </dl>
      {roles.length > 0 && (
        <details>
          <summary>What it makes of each column</summary>
          <dl class="datasets-reasons">{roles.map((role) => <><dt>{role.column}</dt><dd>{role.role}: {roleText(role)}</dd></>)}</dl>
        </details>
      )}
      <details>
        <summary>The spec</summary>
        <pre tabIndex={0}><code>{JSON.stringify(proposal.spec, null, 2)}</code></pre>
      </details>
    </div>
  );
}
