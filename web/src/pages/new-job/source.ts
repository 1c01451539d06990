import { get, post } from "../../api/client";
import type { Checkpoint, CheckpointPage, EditDetail, EditPage, Job, JsonObject, Proposal, ProposalReason, ProblemDetail } from "../../api/schema";
import { EXAMPLES } from "./examples";
import { formatSpec } from "./format";

/** What a new job begins with, as the address says it. */
export type Source =
  | { kind: "empty" }
  | { kind: "example"; name: string }
  | { kind: "copy"; job: string } // ?from=JOB
  | { kind: "fork"; job: string; checkpoint: string | null; step: number | null } // ?fork=JOB&checkpoint=CKPT, or &step=N, else the newest
  | { kind: "proposal"; dataset: string; target: string | null }; // ?dataset=DS&target=COLUMN

export interface Beginning {
  text: string;
  note: string; // where it comes from, in a sentence
  link: string | null; // to what it comes from
  seconds: number | null; // how long a job of this text took
  reasons: ProposalReason[]; // of a proposal
  warnings: ProblemDetail[];
}

export function readSource(query: URLSearchParams): Source {
  const [from, fork, dataset, example] = ["from", "fork", "dataset", "example"].map((name) => query.get(name));
  if (from) return { kind: "copy", job: from };
  if (fork) {
    const step = query.get("step");
    return { kind: "fork", job: fork, checkpoint: query.get("checkpoint"), step: step && /^\d+$/.test(step) ? Number(step) : null };
  }
  if (dataset) return { kind: "proposal", dataset, target: query.get("target") };
  return example ? { kind: "example", name: example } : { kind: "empty" };
}

/** The name of a source, under which drafts that began with it are kept. */
export const sourceKey = (source: Source): string => Object.values(source).filter((each) => each !== null).join(":");

const PLAIN: Beginning = { text: "", note: "", link: null, seconds: null, reasons: [], warnings: [] };

export async function loadSource(source: Source, signal: AbortSignal): Promise<Beginning> {
  switch (source.kind) {
    case "empty":
      return PLAIN;
    case "example":
      return loadExample(source.name);
    case "copy":
      return loadCopy(source.job, signal);
    case "fork":
      return loadFork(source, signal);
    case "proposal":
      return loadProposal(source.dataset, source.target, signal);
  }
}

async function loadExample(name: string): Promise<Beginning> {
  const example = EXAMPLES.find((each) => each.name === name);
  if (!example) throw new Error(`there is no example "${name}"`);
  return { ...PLAIN, text: await example.load(), note: `${example.title}: ${example.description}` };
}

async function loadCopy(id: string, signal: AbortSignal): Promise<Beginning> {
  const job = await get<Job>(`/v1/jobs/${id}`, {}, signal);
  const edited = job.revision > 1 ? ", as it was before its edits" : "";
  return { ...PLAIN, text: formatSpec(job.spec), note: `A copy of ${job.name}${edited}.`, link: `/jobs/${id}`, seconds: secondsOf(job) };
}

const secondsOf = ({ status, started_at: start, finished_at: end }: Job): number | null =>
  status === "succeeded" && start && end ? (Date.parse(end) - Date.parse(start)) / 1000 : null;

async function loadFork({ job: id, checkpoint: chosen, step }: Source & { kind: "fork" }, signal: AbortSignal): Promise<Beginning> {
  const [job, checkpoint] = await Promise.all([get<Job>(`/v1/jobs/${id}`, {}, signal), findCheckpoint(id, chosen, step, signal)]);
  const spec = checkpoint.revision > 1 ? await specOfRevision(id, checkpoint.revision, signal) : job.spec;
  const fork = { ...spec, start_from: { checkpoint: checkpoint.id, what: "everything" } };
  const total = job.progress["total_steps"];
  const atEnd = typeof total === "number" && checkpoint.step >= total ? " The plan ends there: give it more epochs or steps." : "";
  const note = `Goes on from step ${checkpoint.step.toLocaleString("en")} of ${job.name}.${atEnd} With "what": "weights" it begins its plan anew, from these weights.`;
  return { ...PLAIN, text: formatSpec(fork), note, link: `/jobs/${id}` };
}

async function findCheckpoint(job: string, id: string | null, step: number | null, signal: AbortSignal): Promise<Checkpoint> {
  if (id) return get<Checkpoint>(`/v1/checkpoints/${id}`, {}, signal);
  const { items } = await get<CheckpointPage>(`/v1/jobs/${job}/checkpoints`, {}, signal);
  const found = items.find((each) => step === null || each.step === step);
  if (!found) throw new Error(step === null ? "the job has no checkpoint yet" : `the job has no checkpoint of step ${step}`);
  return found;
}

/** The whole spec that an edit has made. */
async function specOfRevision(job: string, revision: number, signal: AbortSignal): Promise<JsonObject> {
  const { items } = await get<EditPage>(`/v1/jobs/${job}/edits`, { limit: 1000 }, signal);
  const edit = items.find((each) => each.revision === revision);
  const detail = edit && (await get<EditDetail>(`/v1/jobs/${job}/edits/${edit.id}`, {}, signal));
  if (!detail?.spec) throw new Error(`revision ${revision} of the job is not known`);
  return detail.spec;
}

async function loadProposal(dataset: string, target: string | null, signal: AbortSignal): Promise<Beginning> {
  const proposal = await post<Proposal>(`/v1/datasets/${dataset}/propose`, target ? { target } : {}, { signal });
  const { spec, reasons, warnings } = proposal;
  return { ...PLAIN, text: formatSpec(spec), note: "Proposed for this data set, with a reason for each choice.", link: `/datasets/${dataset}`, reasons, warnings };
}
