import { get } from "../../../api/client";
import { ApiError } from "../../../api/problem";
import { useResource } from "../../../api/resource";
import type { Dataset, Job } from "../../../api/schema";
import { queryParameters, setQuery } from "../../../shell/router";
import { isRecord } from "../../../ui/data";
import { Loading, Message } from "../../../ui/Message";
import { CheckpointChoice } from "../checkpoints/CheckpointChoice";
import { useLastCheckpoint } from "../checkpoints/latest";
import type { JobTabProps } from "../tabs";
import { FilePredictions } from "./FilePredictions";
import { generatedColumn } from "./generation";
import { inputFields, observationField, type NetworkInputs } from "./fields";
import { RowForm } from "./RowForm";
import { Samples } from "./Samples";
import "./predict.css";

export default function PredictTab({ job, feed }: JobTabProps) {
  const latest = useLastCheckpoint(feed);
  const checkpoint = queryParameters.value.get("checkpoint");
  const acts = isRecord(job.spec["data"]) && job.spec["data"]["kind"] === "environment";
  const draws = !acts && drawsNoise(job);
  const source = queryParameters.value.get("with") ?? "row";
  const id = datasetOf(job);
  const dataset = useResource(
    (signal) => (id ? get<Dataset>(`/v1/datasets/${id}`, {}, signal).catch(nullIfGone) : Promise.resolve(null)), [id],
  );
  if (dataset.data === undefined && dataset.loading) return <Loading what="the columns" />;
  const generated = generatedColumn(job.spec);
  const inputs = (job.inspection["inputs"] ?? {}) as NetworkInputs;
  const fields = acts ? [observationField(inputs)] : inputFields(job.columns, dataset.data?.data_schema ?? null, inputs, generated?.column);
  if (fields.length === 0 && !draws) return <Message title="Nothing to ask">The job reads no columns.</Message>;
  return (
    <>
      <div class="row spread predict-choice">
        <div class="row" role="group" aria-label="What is predicted">
          <button type="button" aria-pressed={source === "row"} onClick={() => setQuery({ with: null })}>{acts ? "One observation" : "One row"}</button>
          <button type="button" aria-pressed={source === "file"} onClick={() => setQuery({ with: "file" })}>A file of rows</button>
          {draws && <button type="button" aria-pressed={source === "noise"} onClick={() => setQuery({ with: "noise" })}>New samples</button>}
        </div>
        <CheckpointChoice jobId={job.id} chosen={checkpoint} latest={latest} />
      </div>
      {job.columns.length >= 200 && <p class="notice warning">The job tells of its first 200 columns alone: rows with more come from a file.</p>}
      {source === "noise" && draws ? <Samples jobId={job.id} checkpoint={checkpoint} />
        : source === "file" ? <FilePredictions jobId={job.id} checkpoint={checkpoint} />
        : <RowForm job={job} fields={fields} preview={dataset.data?.preview ?? []} checkpoint={checkpoint} generated={generated} />}
    </>
  );
}

/** Whether a node of the network draws random numbers, which may be decoded without any row. */
function drawsNoise(job: Job): boolean {
  const model = job.spec["model"];
  const nodes = isRecord(model) && Array.isArray(model["nodes"]) ? model["nodes"] : [];
  return nodes.some((node) => isRecord(node) && (node["kind"] === "rand" || node["kind"] === "randn"));
}

function datasetOf(job: Job): string | null {
  const data = job.spec["data"];
  return isRecord(data) && data["kind"] === "dataset" ? String(data["id"]) : null;
}

/** A data set that was deleted: the job goes on predicting, by what it keeps itself. */
function nullIfGone(error: unknown): null {
  if (error instanceof ApiError && error.status === 404) return null;
  throw error;
}
