import type { Report } from "../../api/schema";

/** What the answer of a validation says in numbers. */
export interface PlanFigures {
  parameters: number | null;
  trainable: number | null;
  flops: number | null; // of one example, forwards
  memory: Record<string, number>; // bytes by part, with `total`
  rows: Record<string, number>; // by split, where they are known
  steps: number | null; // of the whole plan
}

type Numbers = Record<string, number | null | undefined>;

export function figuresOf(report: Report): PlanFigures {
  const inspection = report.inspection as { totals?: Numbers; memory?: Numbers | null };
  const totals = inspection.totals ?? {};
  const memory = Object.entries(inspection.memory ?? {}).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  const splits = Object.entries(report.splits as Record<string, { rows?: number | null } | null>);
  const rows = Object.fromEntries(splits.flatMap(([name, split]) => (typeof split?.rows === "number" ? [[name, split.rows]] : [])));
  return {
    parameters: totals["parameters"] ?? null,
    trainable: totals["trainable"] ?? null,
    flops: totals["flops"] ?? null,
    memory: Object.fromEntries(memory),
    rows,
    steps: stepsOf(report.spec["training"] as Numbers | undefined, rows["train"]),
  };
}

const DEFAULT_BATCH = 64;

function stepsOf(training: Numbers | undefined, rows: number | undefined): number | null {
  if (typeof training?.["steps"] === "number") return training["steps"];
  if (rows === undefined) return null;
  const epochs = training?.["epochs"] ?? 1;
  const batches = rows / (training?.["batch_size"] ?? DEFAULT_BATCH);
  const perEpoch = (training as Record<string, unknown> | undefined)?.["drop_last"] === true ? Math.floor(batches) : Math.ceil(batches);
  return Math.ceil(perEpoch / (training?.["accumulate"] ?? 1)) * epochs;
}
