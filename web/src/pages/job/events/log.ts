import type { Event } from "../../../api/schema";
import { isRecord } from "../../../ui/data";
import { formatNumber, toNumber, type JsonNumber } from "../../../ui/format";

export type Level = "info" | "warning" | "error";

export interface LogLine {
  event: Event;
  level: Level;
  text: string;
  details: string[]; // problems in full, each with its hint
}

/** The groups by which events are filtered, and the kinds in each; every other kind is of the first. */
export const GROUPS = {
  training: "Training",
  status: "Transitions",
  checkpoint: "Checkpoints",
  edit: "Edits",
  warning: "Warnings and errors",
  metrics: "Points",
} as const;
export type Group = keyof typeof GROUPS;

/** The group of a line: what is wrong is of "warning", whatever its kind. */
export function groupOf({ event, level }: LogLine): Group {
  if (level !== "info") return "warning";
  if (["created", "status", "wish", "phase"].includes(event.kind)) return "status";
  if (event.kind === "checkpoint" || event.kind === "rewound") return "checkpoint";
  if (event.kind.startsWith("edit_") || event.kind === "rolled_back") return "edit";
  return event.kind === "metrics" ? "metrics" : "training";
}

/** An event in words. */
export function lineOf(event: Event): LogLine {
  const data = event.data as Record<string, unknown>;
  const words = TEXTS[event.kind]?.(data) ?? `${event.kind.replaceAll("_", " ")}: ${JSON.stringify(data)}`;
  const error = isRecord(data["error"]) ? data["error"] : null;
  const details = error ? [problemText(error)] : Array.isArray(data["problems"]) ? data["problems"].filter(isRecord).map(problemText) : [];
  return { event, text: words, details, level: levelOf(event.kind, data) };
}

function levelOf(kind: string, data: Record<string, unknown>): Level {
  if (data["error"] || kind === "edit_rejected" || data["to"] === "failed") return "error";
  return kind === "warning" || kind === "skipped_step" ? "warning" : "info";
}

const number = (value: unknown): string => (value === null || value === undefined ? "–" : formatNumber(toNumber(value as JsonNumber)));
const text = (value: unknown): string => (value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));

const problemText = (problem: Record<string, unknown>): string =>
  [problem["code"] && `${text(problem["code"])}:`, problem["pointer"] && `at ${text(problem["pointer"])}:`, text(problem["message"] ?? problem["detail"]), problem["hint"] && `– ${text(problem["hint"])}`]
    .filter(Boolean).join(" ");

const TEXTS: Record<string, (data: Record<string, unknown>) => string> = {
  created: (data) => `The job was accepted (${text(data["status"])}).`,
  status: (data) => `${text(data["from"])} → ${text(data["to"])} (${text(data["verb"])})${data["worker"] ? `, by worker ${text(data["worker"])}` : ""}`,
  phase: (data) => `Phase: ${text(data["phase"]).replaceAll("_", " ")}`,
  wish: (data) => (data["wish"] ? `Asked to ${text(data["wish"])}.` : "What was asked for was taken back."),
  rewound: (data) => (data["checkpoint"] ? `Goes on from step ${number(data["step"])}, checkpoint ${text(data["checkpoint"])}; later points were dropped.` : `Begins at step ${number(data["step"])}.`),
  checkpoint: (data) => `Checkpoint at step ${number(data["step"])}: ${text(data["id"])}`,
  split: (data) => `Rows: ${Object.entries(data).map(([role, count]) => `${number(count)} ${role}`).join(", ")}`,
  vocabulary: (data) => `Vocabulary of “${text(data["feature"])}”: ${number(data["tokens"])} tokens; ${shares(data["train"], "train")}${data["validation"] ? `; ${shares(data["validation"], "validation")}` : ""}`,
  vectors: (data) => `Vectors of “${text(data["feature"])}” in ${text(data["into"])}: ${number(data["found"])} of ${number(data["tokens"])} tokens have one.`,
  initial_weights: (data) => weightsText(data),
  early_stop: (data) => `Stopped early at step ${number(data["step"])}: no better than ${number(data["best"])}.`,
  skipped_step: (data) => `Step ${number(data["step"])} was skipped: its loss is no finite number.`,
  edit_accepted: (data) => `Edit ${number(data["edit"])} was accepted, for ${text(data["at"])}.`,
  edit_applied: (data) => `Edit ${number(data["edit"])} was applied at step ${number(data["step"])}: revision ${number(data["revision"])}.`,
  edit_rejected: (data) => `Edit ${number(data["edit"])} could not be applied; the job is as it was.`,
  edit_withdrawn: (data) => `Edit ${number(data["edit"])} was withdrawn.`,
  rolled_back: (data) => `Back to step ${number(data["step"])} of revision ${number(data["to"])}: revision ${number(data["revision"])}.`,
  warning: (data) => problemText(data),
  metrics: (data) => pointsText(data),
};

function weightsText(data: Record<string, unknown>): string {
  const names = isRecord(data["names"]) ? data["names"] : {};
  const list = (of: unknown) => (Array.isArray(of) && of.length ? ` (${of.slice(0, 8).map(text).join(", ")}${of.length > 8 ? ", …" : ""})` : "");
  const partial = list(data["partial"]);
  return `Weights of ${text(data["from"])}: ${number(data["taken"])} tensors taken, ${number(data["left_out"])} left out${list(names["left_out"])}; ${number(data["begun_anew"])} of the network begin anew${list(names["begun_anew"])}.${partial && ` Partly taken:${partial}.`}`;
}

function shares(part: unknown, role: string): string {
  if (!isRecord(part)) return role;
  const percent = (value: unknown) => `${(100 * Number(value)).toFixed(1)} %`;
  return `${role}: ${percent(part["unknown"])} unknown, ${percent(part["cut"])} of rows cut`;
}

function pointsText(data: Record<string, unknown>): string {
  const progress = isRecord(data["progress"]) ? data["progress"] : {};
  const latest = isRecord(progress["latest"]) ? Object.entries(progress["latest"]).map(([name, value]) => `${name} ${number(value)}`) : [];
  return `Step ${number(progress["step"])}: ${latest.join(", ")}`;
}

/** Whether a line holds all words of a search, in its text, details, kind or data. */
export function matches({ event, text: words, details }: LogLine, search: string): boolean {
  const all = `${event.kind} ${words} ${details.join(" ")} ${JSON.stringify(event.data)}`.toLowerCase();
  return search.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}

/** Lines of one attempt after another, as they come. */
export function byAttempt(lines: readonly LogLine[]): { fence: number; lines: LogLine[] }[] {
  const groups: { fence: number; lines: LogLine[] }[] = [];
  for (const line of lines) {
    const last = groups.at(-1);
    if (last?.fence === line.event.fence) last.lines.push(line);
    else groups.push({ fence: line.event.fence, lines: [line] });
  }
  return groups;
}
