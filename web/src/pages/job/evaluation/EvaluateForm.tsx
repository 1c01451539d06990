import { useState } from "preact/hooks";
import { get, post } from "../../../api/client";
import { useResource } from "../../../api/resource";
import type { Checkpoint, DatasetPage, Job, JobEvaluation } from "../../../api/schema";
import { Field } from "../../../ui/Field";
import { Problems } from "../../../ui/Message";
import { Figures } from "./Figures";
import { HeadReport } from "./HeadReport";
import type { Head } from "./report";

/** Evaluate the job's network on another labelled data set. */
export function EvaluateForm({ job, checkpoint }: { job: Job; checkpoint: Checkpoint["id"] | null }) {
  const { data, error: unlisted } = useResource((signal) => get<DatasetPage>("/v1/datasets", { status: ["ready"], limit: 100 }, signal), ["evaluate"]);
  const [dataset, setDataset] = useState("");
  const [split, setSplit] = useState("");
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState<JobEvaluation>();
  const [error, setError] = useState<unknown>();
  const splits = Object.keys(data?.items.find((each) => each.id === dataset)?.data_schema?.rows ?? {});
  const evaluate = async () => {
    setBusy(true);
    setError(undefined);
    try {
      setResult(await post<JobEvaluation>(`/v1/jobs/${job.id}/evaluate`, { dataset, ...(split && { split }), ...(checkpoint && { checkpoint }) }, { idempotent: false }));
    } catch (problem) {
      setResult(undefined);
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <form class="evaluation-form" onSubmit={(event) => (event.preventDefault(), void evaluate())}>
        <Field label="Data set" hint="with the columns that the job reads and learns; the newest 100 are listed">
          {(attributes) => (
            <select {...attributes} value={dataset} onChange={(event) => (setDataset(event.currentTarget.value), setSplit(""))}>
              <option value="">choose one</option>
              {data?.items.map((each) => <option key={each.id} value={each.id}>{each.name} ({each.id.slice(0, 10)}…)</option>)}
            </select>
          )}
        </Field>
        {splits.length > 1 && (
          <Field label="Split">
            {(attributes) => (
              <select {...attributes} value={split} onChange={(event) => setSplit(event.currentTarget.value)}>
                <option value="">test, or what there is</option>
                {splits.map((each) => <option key={each} value={each}>{each}</option>)}
              </select>
            )}
          </Field>
        )}
        <button type="submit" class="primary" disabled={!dataset || busy}>{busy ? "Evaluating…" : "Evaluate"}</button>
      </form>
      {unlisted !== undefined && <Problems error={unlisted} />}
      {error !== undefined && <Problems error={error} />}
      {result && <EvaluationResult result={result} />}
    </>
  );
}

function EvaluationResult({ result }: { result: JobEvaluation }) {
  return (
    <div aria-live="polite">
      <p class="muted">{result.rows.toLocaleString("en")} rows of {result.split}, with the weights of step {result.step.toLocaleString("en")}.</p>
      {result.warnings.map((each) => <div class="notice warning" key={each.code + each.pointer}><p>{each.detail}</p>{each.hint && <p class="hint">{each.hint}</p>}</div>)}
      {result.notes.map((note) => <p class="notice" key={note}>{note}</p>)}
      <Figures values={result.values} />
      {result.heads.map((head, index) => <HeadReport key={index} head={head as unknown as Head} />)}
    </div>
  );
}
