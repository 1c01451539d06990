import { formatNumber, toNumber, type JsonNumber } from "../../../ui/format";

type Series = Record<string, { last: JsonNumber[] }>;

/**
 * What control flow does at the newest step, by path of the node, from the job's series "flow/PATH/PART": turns of a
 * loop, steps of a scan, heights of trees, and the shares of branches.
 */
export function flowBadges(series: Series): Map<string, string> {
  const parts = new Map<string, [string, number][]>();
  for (const [name, { last }] of Object.entries(series)) {
    const match = /^flow\/(.+)\/([^/]+)$/.exec(name);
    const value = toNumber(last.at(-1));
    if (match && !Number.isNaN(value)) parts.set(match[1]!, [...(parts.get(match[1]!) ?? []), [match[2]!, value]]);
  }
  return new Map([...parts].map(([path, values]) => [path.replaceAll("/", "."), badge(values)]));
}

const COUNTS: Record<string, string> = { turns: "turns", steps: "steps", height: "high" };
const MOST = 4; // branches in one badge

function badge(values: [string, number][]): string {
  const counts = values.filter(([part]) => part in COUNTS).map(([part, value]) => `${formatNumber(value, 3)} ${COUNTS[part]}`);
  const shares = values.filter(([part]) => !(part in COUNTS)).sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
  const shown = shares.slice(0, MOST).map(([part, value]) => `${part}: ${Math.round(100 * value)} %`);
  if (shares.length > MOST) shown.push(`+${shares.length - MOST}`);
  return [...counts, ...shown].join("  ");
}
