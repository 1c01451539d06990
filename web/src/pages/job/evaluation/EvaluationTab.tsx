import { get } from "../../../api/client";
import { ApiError } from "../../../api/problem";
import { useResource } from "../../../api/resource";
import type { Job, JobReport } from "../../../api/schema";
import { queryParameters, setQuery } from "../../../shell/router";
import { Loading, Message, Problems } from "../../../ui/Message";
import { formatNumber } from "../../../ui/format";
import { CheckpointChoice } from "../checkpoints/CheckpointChoice";
import { useLastCheckpoint } from "../checkpoints/latest";
import type { JobTabProps } from "../tabs";
import { EvaluateForm } from "./EvaluateForm";
import type { Episodes } from "./episodes/episodes";
import { EpisodesReport } from "./episodes/EpisodesReport";
import { Figures } from "./Figures";
import { HeadReport } from "./HeadReport";
import type { Head } from "./report";
import "./evaluation.css";

const PARTS = ["validation", "test", "other"] as const;
const isEnvironment = (job: Job): boolean => (job.spec["data"] as { kind?: string } | undefined)?.kind === "environment";
const LABELS = { validation: "Validation", test: "Test", other: "Another data set" };

export default function EvaluationTab({ job, feed }: JobTabProps) {
  const latest = useLastCheckpoint(feed);
  const chosen = queryParameters.value.get("checkpoint");
  const report = useResource((signal) => get<JobReport>(`/v1/jobs/${job.id}/report`, { checkpoint: chosen }, signal), [job.id, chosen, latest]);
  const acts = isEnvironment(job);
  const asked = acts ? "validation" : PARTS.find((each) => each === queryParameters.value.get("part"));
  const part = asked ?? (report.data?.rows === 0 && report.data.test ? "test" : "validation");
  return (
    <>
      <div class="row spread evaluation-choice">
        {!acts && (
          <div class="row" role="group" aria-label="Evaluated on">
            {PARTS.map((each) => (
              <button key={each} type="button" aria-pressed={part === each} onClick={() => setQuery({ part: each === "validation" ? null : each })}>{LABELS[each]}</button>
            ))}
          </div>
        )}
        {part !== "test" && <CheckpointChoice jobId={job.id} chosen={chosen} latest={latest} />}
      </div>
      {part === "other" && <EvaluateForm job={job} checkpoint={chosen} />}
      {part !== "other" && !report.data && report.error === undefined && <Loading what="the report" />}
      {part !== "other" && report.error !== undefined && <NoReport error={report.error} job={job} retry={report.reload} />}
      {part === "validation" && report.data && <ValidationReport report={report.data} />}
      {part === "test" && report.data && <TestReport report={report.data} />}
    </>
  );
}

function NoReport({ error, job, retry }: { error: unknown; job: Job; retry: () => void }) {
  if (!(error instanceof ApiError) || error.status !== 404) return <Problems error={error} retry={retry} />;
  const running = ["queued", "running", "paused"].includes(job.status);
  return (
    <Message title={running ? "No report yet" : "No report"}>
      {running
        ? "It comes with the first checkpoint that is saved at an evaluation."
        : isEnvironment(job) ? "This checkpoint was saved between two evaluations: choose another one."
        : "No output is compared with a target, nothing was held out, or this checkpoint was saved between two evaluations. Evaluate the network on a labelled data set instead."}
    </Message>
  );
}

function ValidationReport({ report }: { report: JobReport }) {
  if (report.episodes) {
    return (
      <>
        <p class="muted">At step {formatNumber(report.step)}.</p>
        <EpisodesReport episodes={report.episodes as unknown as Episodes} />
      </>
    );
  }
  if (report.rows === 0) return <Message title="This job has no validation">Its test is the last thing it does.</Message>;
  return (
    <>
      <p class="muted">{formatNumber(report.rows)} held-out rows, at step {formatNumber(report.step)}.</p>
      {report.heads.map((head, index) => <HeadReport key={index} head={head as unknown as Head} />)}
    </>
  );
}

function TestReport({ report: { test } }: { report: JobReport }) {
  if (!test) return <Message title="No test">The job has none, or has not come to its end. Hold some rows out for it: <code>"test": {"{"}"fraction": 0.1{"}"}</code> in <code>data</code>.</Message>;
  return (
    <>
      <p class="muted">{formatNumber(test.rows)} rows that chose nothing, evaluated once with the weights of step {formatNumber(test.step)}.</p>
      <Figures values={test.values} />
      {test.heads.map((head, index) => <HeadReport key={index} head={head as unknown as Head} />)}
    </>
  );
}
