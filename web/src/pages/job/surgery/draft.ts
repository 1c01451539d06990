import { signal, type Signal } from "@preact/signals";
import type { Json } from "./schemas";

/** An edit as it is being put together. */
export interface Draft {
  operations: Json[];
  at: "now" | Json | null; // null: a trigger that is not written out yet
  comment: string;
  expected: number; // the revision that it was written for
}

const drafts = new Map<string, Signal<Draft | null>>();

/** The draft of a job's edit: it stays while one looks at other parts of the page. */
export function draftOf(jobId: string): Signal<Draft | null> {
  let draft = drafts.get(jobId);
  if (!draft) drafts.set(jobId, (draft = signal<Draft | null>(null)));
  return draft;
}

/** The edit that is sent. */
export function documentOf(draft: Draft): Json {
  return {
    expect_revision: draft.expected,
    at: draft.at,
    operations: draft.operations,
    ...(draft.comment.trim() && { comment: draft.comment.trim() }),
  };
}

/** An operation in words: "insert Conv2d after stem, init identity". */
export function describeOperation(operation: Json): string {
  const words = [String(operation["op"]).replaceAll("_", " ")];
  for (const [name, value] of Object.entries(operation)) {
    if (name === "op") continue;
    if (typeof value === "object" && value !== null && "kind" in value) words.push(`${name === "node" ? "" : `${name} `}${String(value.kind)}${"id" in value ? ` “${String(value.id)}”` : ""}`);
    else if (name === "node" || name === "path" || name === "nodes") words.push(Array.isArray(value) ? value.join(", ") : String(value));
    else words.push(`${name} ${typeof value === "string" ? value : JSON.stringify(value)}`);
  }
  return words.join(" ");
}

interface Placed {
  pointer: string;
}

/** Problems by the operation at whose place they are; -1 for those of the edit as a whole. */
export function problemsByOperation<T extends Placed>(problems: readonly T[], operations: number): Map<number, T[]> {
  const found = new Map<number, T[]>();
  for (const problem of problems) {
    const match = /^\/operations\/(\d+)(\/|$)/.exec(problem.pointer);
    const place = match && Number(match[1]) < operations ? Number(match[1]) : -1;
    found.set(place, [...(found.get(place) ?? []), problem]);
  }
  return found;
}

/** A trigger in words. */
export function describeTrigger(at: unknown): string {
  if (at === "now" || typeof at !== "object" || at === null) return "now";
  const { step, epoch, when } = at as { step?: number | null; epoch?: number | null; when?: Json | null };
  if (typeof step === "number") return `at step ${step.toLocaleString("en")}`;
  if (typeof epoch === "number") return `at epoch ${epoch}`;
  if (!when) return "now";
  const { metric, below, above, plateau } = when;
  if (typeof below === "number") return `when ${String(metric)} < ${below}`;
  if (typeof above === "number") return `when ${String(metric)} > ${above}`;
  return `when ${String(metric)} has not improved for ${String(plateau)} evaluations`;
}

/** The part of the address by which the curves show a step in their middle, pinned, with a quarter of the way to it at each side. */
export function aroundStep(step: number): string {
  const side = Math.max(20, Math.round(step / 4));
  return `from=${Math.max(0, step - side)}&to=${step + side}&pin=${step}`;
}
