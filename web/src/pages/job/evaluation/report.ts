/** The reports of evaluations (docs/report.md), and what the page computes from them. */

export interface Scores {
  precision: number | null;
  recall: number | null;
  f1: number | null;
}

export interface ClassRow extends Scores {
  label: string;
  support: number;
  predicted: number;
  right: number;
}

export type Averages = Partial<Record<"macro" | "weighted" | "micro", Scores | null>>;

export interface Calibration {
  error: number;
  bins: { count: number; confidence: number | null; share: number | null }[];
}

export interface Curve {
  label: string;
  positives: number;
  negatives: number;
  auroc: number | null;
  average_precision: number | null;
  thresholds: number[];
  true_positives: number[];
  false_positives: number[];
}

export interface ErrorSummary {
  mean: number | null;
  mean_absolute: number | null;
  root_mean_squared: number | null;
  quantiles: { share: number; error: number | null }[];
  histogram?: { edges: number[]; counts: number[]; below: number; above: number } | null;
}

export type Said = string | number | null | (string | number | null)[];

export interface WorstExample {
  row: number;
  split: string | null;
  values: Record<string, unknown> | null;
  wrongness: number | null; // null: the loss is no number
  target: Said;
  predicted: Said;
  probability?: number | null | (number | null)[];
}

export interface Head {
  head: string | null;
  output: string;
  target: string;
  about: "classes" | "decisions" | "tags" | "labels" | "numbers";
  count: number;
  right?: number;
  classes?: ClassRow[] | null;
  labels?: ClassRow[];
  averages?: Averages | null;
  confusion?: number[][] | null;
  calibration?: Calibration | null;
  curves?: Curve[] | null;
  spans?: { types: ClassRow[]; averages: Averages } | null;
  error?: ErrorSummary | null;
  points?: { target: (number | null)[]; predicted: (number | null)[] } | null;
  worst?: WorstExample[];
  notes: string[];
}

export interface Confusion {
  labels: string[];
  counts: number[][]; // a row for each true class
  folded: number; // classes that "others" stands for
}

/** The pairs of classes that are confused most, and how often. */
export function confusedPairs(counts: readonly (readonly number[])[], limit: number): { truth: number; chosen: number; count: number; share: number }[] {
  const pairs = counts.flatMap((row, truth) => {
    const support = row.reduce((sum, count) => sum + count, 0);
    return row.map((count, chosen) => ({ truth, chosen, count, share: support ? count / support : 0 }));
  });
  return pairs.filter((pair) => pair.truth !== pair.chosen && pair.count > 0).sort((a, b) => b.count - a.count).slice(0, limit);
}

/** The matrix with only the classes that are confused most, in their order; the rest are one row and column, "others". */
export function foldConfusion(labels: readonly string[], counts: readonly (readonly number[])[], limit: number): Confusion {
  if (labels.length <= limit) return { labels: [...labels], counts: counts.map((row) => [...row]), folded: 0 };
  const errors = labels.map((_, code) => {
    const missed = counts[code]!.reduce((sum, count, chosen) => sum + (chosen === code ? 0 : count), 0);
    return missed + counts.reduce((sum, row, truth) => sum + (truth === code ? 0 : row[code]!), 0);
  });
  const ranked = labels.map((_, code) => code).sort((a, b) => errors[b]! - errors[a]! || a - b);
  const kept = ranked.slice(0, limit - 1).sort((a, b) => a - b);
  const place = new Map(kept.map((code, index) => [code, index]));
  const size = kept.length + 1;
  const folded = Array.from({ length: size }, () => Array<number>(size).fill(0));
  counts.forEach((row, truth) => row.forEach((count, chosen) => (folded[place.get(truth) ?? size - 1]![place.get(chosen) ?? size - 1]! += count)));
  return { labels: [...kept.map((code) => labels[code]!), `${labels.length - kept.length} others`], counts: folded, folded: labels.length - kept.length };
}

export type Point = readonly [x: number, y: number];

/** The ROC curve: the share of the negatives and of the positives that reach each threshold, from (0, 0) to (1, 1). */
export function rocPoints(curve: Curve): Point[] {
  if (!curve.positives || !curve.negatives) return [];
  const points = curve.true_positives.map((count, index): Point => [curve.false_positives[index]! / curve.negatives, count / curve.positives]);
  return [[0, 0], ...points];
}

/** Recall and precision at each threshold. */
export function precisionPoints(curve: Curve): Point[] {
  if (!curve.positives) return [];
  return curve.true_positives.map((count, index): Point => [count / curve.positives, count / (count + curve.false_positives[index]!)]);
}

export type SortKey = "label" | "precision" | "recall" | "f1" | "support" | "predicted" | "right";

/** Rows by a column; what has no number comes last in both directions. */
export function sortRows(rows: readonly ClassRow[], key: SortKey, descending: boolean): ClassRow[] {
  const sign = descending ? -1 : 1;
  return rows.toSorted((a, b) => {
    const [one, other] = [a[key], b[key]];
    if (one === null || other === null) return (one === null ? 1 : 0) - (other === null ? 1 : 0);
    if (typeof one === "string") return sign * one.localeCompare(String(other), "en", { numeric: true });
    return sign * (one - Number(other));
  });
}

export const saidText = (said: Said | undefined): string =>
  Array.isArray(said) ? (said.length ? said.join(" · ") : "none") : said === null || said === undefined ? "no number" : String(said);
