/** Names of series: "train/loss", "val/accuracy", "train/head/loss", "episode/return", "flow/node/iterations". */
const SPLITS = ["train", "episode", "val", "test"] as const;
const RETURN = "return"; // of episodes: what an agent is trained for

/** What a series measures, without the rows that it is of: one chart shows one measure. */
export function measureOf(name: string): string {
  const slash = name.indexOf("/");
  return SPLITS.some((split) => split === name.slice(0, slash)) ? name.slice(slash + 1) : name;
}

export const splitOf = (name: string): string => (measureOf(name) === name ? "" : name.slice(0, name.indexOf("/")));

export interface Group {
  measure: string;
  names: string[]; // train before episode before val before test
}

/**
 * Series by what they measure: the loss first, then other measures of held-out rows, then the rest by name.
 * Where there are returns of episodes, they come first: what an agent's losses are says little of how well it acts.
 */
export function groupNames(names: readonly string[], apart = false): Group[] {
  const groups = new Map<string, string[]>();
  for (const name of new Set(names)) {
    const key = apart ? name : measureOf(name);
    groups.set(key, [...(groups.get(key) ?? []), name]);
  }
  const rank = (name: string) => SPLITS.findIndex((split) => name.startsWith(`${split}/`));
  const acts = hasReturns(names);
  return [...groups]
    .map(([measure, members]) => ({ measure, names: members.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1)) }))
    .sort((a, b) => order(a, acts) - order(b, acts) || (a.measure < b.measure ? -1 : 1));
}

/** Whether some series are the returns of episodes. */
export const hasReturns = (names: readonly string[]): boolean => names.some((name) => measureOf(name) === RETURN);

function order({ names }: Group, acts: boolean): number {
  const measure = measureOf(names[0]!);
  if (measure === RETURN || (measure === "loss" && !acts)) return 0;
  if (names.some((name) => name.startsWith("val/"))) return 1;
  if (measure.endsWith("/loss")) return 2;
  return names[0]!.startsWith("flow/") ? 4 : 3;
}

const MOST_AT_FIRST = 12; // charts of a page on which nothing was chosen

/** The groups that a page shows: the chosen ones, else those of a small network, or all but the counts of its nodes. */
export function shownGroups(groups: readonly Group[], chosen: readonly string[]): Group[] {
  if (chosen.length) return groups.filter(({ measure }) => chosen.includes(measure));
  return groups.length <= MOST_AT_FIRST ? [...groups] : groups.filter(({ measure }) => !measure.startsWith("flow/")).slice(0, MOST_AT_FIRST);
}

const LESS_IS_BETTER = new Set(["loss", "calibration_error", "log_loss", "perplexity", "hamming", "mae", "mse", "rmse", "mape", "smape"]);
const MORE_IS_BETTER =
  /^((top\d+|balanced)_)?accuracy$|^((span_)?(precision|recall|f[\d.]+|iou)(_\w+)?)$|^(return|specificity|auroc|average_precision|mcc|cohen_kappa|exact_match|r2|explained_variance|pearson|spearman)$/;

/** Whether small or large values of a measure are good; null where neither is. */
export function betterOf(name: string): "low" | "high" | null {
  const measure = measureOf(name).split("/").at(-1)!;
  if (LESS_IS_BETTER.has(measure)) return "low";
  return MORE_IS_BETTER.test(measure) ? "high" : null;
}
