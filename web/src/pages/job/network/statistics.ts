import { toNumber, type JsonNumber } from "../../../ui/format";

/** The path of a node as statistics write it: its parts joined by slashes. */
export const statisticPath = (path: string): string => path.replaceAll(".", "/");

/** What happened inside a network while it was trained: by path of the node (with slashes) and quantity, in buckets of steps. */
export interface Statistics {
  samples: number;
  last_step: number;
  nodes: Record<string, Record<string, Buckets>>;
}

export interface Buckets {
  step: number[]; // of the last sample in each bucket
  min: JsonNumber[];
  max: JsonNumber[];
  last: JsonNumber[];
}

interface Quantity {
  id: string;
  label: string;
  logarithmic: boolean;
  share?: boolean; // between 0 and 1, shown in percent
  parts?: boolean; // one series for each part, as "branch_shares/then": no colour of the drawing
}

/** The quantities of a node, in the order in which they are shown. */
export const QUANTITIES: readonly Quantity[] = [
  { id: "grad_norm", label: "Gradient norm", logarithmic: true },
  { id: "weight_norm", label: "Weight norm", logarithmic: true },
  { id: "update_ratio", label: "Update ÷ weight", logarithmic: true },
  { id: "activation_mean", label: "Activation mean", logarithmic: false },
  { id: "activation_std", label: "Activation std", logarithmic: true },
  { id: "activation_nonfinite", label: "Values not finite", logarithmic: false },
  { id: "dead_share", label: "Dead units", logarithmic: false, share: true },
  { id: "iterations", label: "Iterations", logarithmic: false },
  { id: "tree_height", label: "Tree height", logarithmic: false },
  { id: "branch_shares", label: "Branch share", logarithmic: false, share: true, parts: true },
  { id: "level_sizes", label: "Nodes at height", logarithmic: false, parts: true },
];

export const HISTOGRAMS = ["weights", "gradients", "activations"] as const;

/** A quantity by its name; a part of one, as "branch_shares/then", is shown as that. */
export function quantityOf(name: string): Quantity {
  const [id, part] = name.split("/");
  const known = QUANTITIES.find((each) => each.id === id) ?? { id: name, label: name, logarithmic: false };
  return part === undefined ? known : { ...known, id: name, label: `${known.label}: ${part}` };
}

/** A value per node (with dots in its path): that of the last sample at or before a step. */
export function valuesAt(statistics: Statistics, quantity: string, step: number): Map<string, number> {
  const values = new Map<string, number>();
  for (const [path, series] of Object.entries(statistics.nodes)) {
    const buckets = series[quantity];
    if (!buckets) continue;
    const place = lastAtOrBefore(buckets.step, step);
    if (place >= 0) values.set(path.replaceAll("/", "."), toNumber(buckets.last[place]));
  }
  return values;
}

function lastAtOrBefore(steps: readonly number[], step: number): number {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle]! <= step) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The steps at which some node of a quantity has a value, ascending. */
export function stepsOf(statistics: Statistics, quantity: string): number[] {
  const steps = new Set<number>();
  for (const series of Object.values(statistics.nodes)) for (const step of series[quantity]?.step ?? []) steps.add(step);
  return [...steps].sort((a, b) => a - b);
}

export interface Histograms {
  steps: number[];
  edges: JsonNumber[]; // one more than bins
  counts: number[][]; // by step and bin
}

/**
 * Histograms for a heat map: bins brought together to at most `most`, counts as shares of each step's largest density.
 * Edges are not evenly spaced (they are finer around zero): a share is of counts, so that every bin can be seen.
 */
export function heatMap(histograms: Histograms, most = 48): { edges: number[]; rows: number[][] } {
  const edges = histograms.edges.map(toNumber);
  const bins = edges.length - 1;
  const width = Math.max(1, Math.ceil(bins / most));
  const merged = edges.filter((_, index) => index % width === 0 || index === bins);
  const rows = histograms.counts.map((counts) => {
    const sums = new Array<number>(merged.length - 1).fill(0);
    counts.forEach((count, index) => (sums[Math.floor(index / width)]! += count));
    const largest = Math.max(...sums, 1);
    return sums.map((sum) => sum / largest);
  });
  return { edges: merged, rows };
}
