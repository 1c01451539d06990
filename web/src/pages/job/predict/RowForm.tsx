import { useState } from "preact/hooks";
import { get, post } from "../../../api/client";
import { ApiError } from "../../../api/problem";
import { useResource } from "../../../api/resource";
import type { Job, JobReport, Predictions } from "../../../api/schema";
import { Problems } from "../../../ui/Message";
import { rowsOf, type Episodes } from "../evaluation/episodes/episodes";
import type { Head } from "../evaluation/report";
import { FieldError, problemsByField, textOf, valueOf, type InputField } from "./fields";
import { generateOf, type GenerationSettings } from "./generation";
import { GenerationControls } from "./GenerationControls";
import { InputControl } from "./InputControl";
import { PredictionResult } from "./PredictionResult";
import { Snippets } from "./Snippets";
import type { PredictBody } from "./snippets";

type Row = Record<string, unknown>;

interface Props {
  job: Job;
  fields: InputField[];
  preview: readonly Row[];
  checkpoint: string | null;
  generated: { column: string; method: string } | null; // the texts that the network goes on with
}

/** A form of the columns that the network reads, and its answer. */
export function RowForm({ job, fields, preview, checkpoint, generated }: Props) {
  const [texts, setTexts] = useState<Record<string, string>>(() => (preview[0] ? fill(fields, preview[0]).texts : {}));
  const [missed, setMissed] = useState<string[]>(() => (preview[0] ? fill(fields, preview[0]).missed : []));
  const [busy, setBusy] = useState(false);
  const [answer, setAnswer] = useState<Predictions>();
  const [asked, setAsked] = useState(""); // the beginning of the text that was sent
  const [error, setError] = useState<unknown>();
  const [settings, setSettings] = useState<GenerationSettings>({ method: "", numbers: {} });
  const told = useReportedRows(job.id, fields);
  const body = bodyOf(fields, texts, checkpoint, generated && settings);
  const problems = problemsOf(error ?? (body instanceof FieldError && Object.values(texts).some(Boolean) ? body : undefined), fields);
  const ask = async () => {
    if (body instanceof FieldError) return setError(body);
    setBusy(true);
    setError(undefined);
    try {
      setAnswer(await post<Predictions>(`/v1/jobs/${job.id}/predict`, body, { idempotent: false }));
      setAsked(generated ? texts[generated.column] ?? "" : "");
    } catch (problem) {
      setAnswer(undefined);
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  const prefill = (row: Row) => {
    const filled = fill(fields, row);
    setTexts(filled.texts);
    setMissed(filled.missed);
    setError(undefined);
  };
  const enter = (name: string, text: string) => {
    setTexts((old) => ({ ...old, [name]: text }));
    setMissed((old) => old.filter((each) => each !== name));
    setError(undefined);
  };
  const words = fields.filter((field) => field.kind === "words").map((field) => wordsOf(field, texts[field.name] ?? ""));
  return (
    <div class="predict-columns">
      <form class="panel" noValidate onSubmit={(event) => (event.preventDefault(), void ask())}>
        <Prefill preview={preview} told={told.rows} onChoose={prefill} />
        {missed.length > 0 && <p class="notice warning">Only the beginning, or a small picture, of {missed.map((name) => `“${name}”`).join(", ")} is known here: complete it.</p>}
        {fields.map((field) => (
          <InputControl
            key={field.name} field={field} names={told.names} text={texts[field.name] ?? ""} error={problems.fields[field.name]}
            onInput={(text) => enter(field.name, text)}
          />
        ))}
        {generated && <GenerationControls settings={settings} own={generated.method} onChange={(entered) => (setSettings(entered), setError(undefined))} />}
        {problems.others.length > 0 && <div class="problems" role="alert">{problems.others.map((each) => <p key={each}>{each}</p>)}</div>}
        {error !== undefined && !(error instanceof FieldError) && !(error instanceof ApiError && error.errors.length > 0) && <PredictError error={error} />}
        <button type="submit" class="primary" disabled={busy}>{busy ? "Predicting…" : "Predict"}</button>
      </form>
      <div class="predict-answer" aria-live="polite">
        {answer ? <PredictionResult answer={answer} words={words} prompt={asked} /> : <p class="muted">The answer comes here. The first question about a checkpoint loads it, which takes a moment.</p>}
        {!(body instanceof FieldError) && <Snippets jobId={job.id} body={body} />}
      </div>
    </div>
  );
}

function PredictError({ error }: { error: unknown }) {
  if (error instanceof ApiError && error.status === 409) return <p class="notice">{error.message}. Ask again once the job has its first checkpoint.</p>;
  return <Problems error={error} />;
}

/** The request for what was entered, or what is wrong with a text. */
function bodyOf(
  fields: InputField[], texts: Record<string, string>, checkpoint: string | null, settings: GenerationSettings | null,
): PredictBody | FieldError {
  try {
    const row = Object.fromEntries(fields.map((field) => [field.name, valueOf(field, texts[field.name] ?? "")]));
    const asked = settings ? generateOf(settings) : { outputs: ["labels", "probabilities", "raw", "image"] };
    return { rows: [row], ...asked, ...(checkpoint && { checkpoint }) };
  } catch (error) {
    if (error instanceof FieldError) return error;
    throw error;
  }
}

/** The words of a field, which stand beside their tags. */
function wordsOf(field: InputField, text: string): string[] {
  try {
    const value = field.kind === "words" ? valueOf(field, text) : [];
    return Array.isArray(value) ? value.map(String) : [];
  } catch {
    return [];
  }
}

function problemsOf(error: unknown, fields: InputField[]): { fields: Record<string, string>; others: string[] } {
  if (error instanceof FieldError) return { fields: { [error.field]: error.message }, others: [] };
  if (error instanceof ApiError) return problemsByField(error.errors, fields.map((field) => field.name));
  return { fields: {}, others: [] };
}

function fill(fields: InputField[], row: Row): { texts: Record<string, string>; missed: string[] } {
  const texts: Record<string, string> = {};
  const missed: string[] = [];
  for (const field of fields) {
    const filled = textOf(field, row[field.name]);
    texts[field.name] = filled?.text ?? "";
    if (!filled || filled.cut) missed.push(field.name);
  }
  return { texts, missed };
}

interface ReportedRow {
  label: string;
  row: Row;
}

const SHOWN = 8;

/** What the report has of interest to try again, its worst examples or observations of its episode, and what the numbers of these are called. */
function useReportedRows(jobId: string, fields: readonly InputField[]): { rows: ReportedRow[]; names: string[] | null } {
  const { data } = useResource((signal) => get<JobReport>(`/v1/jobs/${jobId}/report`, {}, signal), [jobId]);
  const worst = (data?.heads ?? []).flatMap((head) => (head as unknown as Head).worst ?? []);
  const rows = worst.slice(0, SHOWN).flatMap((each) => (each.values ? [{ label: `row ${each.row + 1}, among the worst`, row: each.values }] : []));
  const recorded = (data?.episodes as unknown as Episodes | null | undefined)?.recorded;
  return { rows: [...rows, ...(recorded ? observationRows(rowsOf(recorded.observations), fields[0]!) : [])], names: recorded?.observation_names ?? null };
}

/** Some observations of the recorded episode, evenly from its first to its last; none of those that are not kept whole. */
function observationRows(observations: readonly (number | null)[][], field: InputField): ReportedRow[] {
  if (observations[0]?.length !== field.size) return [];
  const steps = Array.from({ length: SHOWN }, (_, index) => Math.round((index * (observations.length - 1)) / (SHOWN - 1)));
  return [...new Set(steps)].map((step) => {
    const values = observations[step]!;
    return { label: `step ${step} of the recorded episode`, row: { [field.name]: field.kind === "vector" ? values : values[0] } };
  });
}

function Prefill({ preview, told, onChoose }: { preview: readonly Row[]; told: ReportedRow[]; onChoose: (row: Row) => void }) {
  const rows = [...preview.map((row, index) => ({ label: `row ${index + 1}`, row })), ...told];
  if (rows.length === 0) return null;
  return (
    <p>
      <label>
        Fill with{" "}
        <select value="" onChange={(event) => {
          const chosen = rows[Number(event.currentTarget.value)];
          event.currentTarget.value = "";
          if (chosen) onChoose(chosen.row);
        }}>
          <option value="">{preview.length > 0 || !told[0]?.row["observation"] ? "a row of the data…" : "an observation…"}</option>
          {rows.map((each, index) => <option key={index} value={String(index)}>{each.label}</option>)}
        </select>
      </label>
    </p>
  );
}
