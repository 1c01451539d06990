/** The places of specs at which they differ, as paths such as "training.optimizer.lr". */
export interface Difference {
  path: string;
  values: (string | undefined)[]; // JSON, by spec; undefined where a spec has no such place
}

const PASSED_OVER = new Set(["name", "metadata"]);

export function differences(specs: readonly Record<string, unknown>[]): Difference[] {
  const flat = specs.map((spec) => {
    const places = new Map<string, string>();
    for (const [key, value] of Object.entries(spec)) if (!PASSED_OVER.has(key)) flatten(value, key, places);
    return places;
  });
  const paths = [...new Set(flat.flatMap((places) => [...places.keys()]))].sort();
  return paths
    .map((path) => ({ path, values: flat.map((places) => places.get(path)) }))
    .filter(({ values }) => values.some((value) => value !== values[0]));
}

function flatten(value: unknown, path: string, places: Map<string, string>): void {
  if (value !== null && typeof value === "object" && Object.keys(value).length) {
    for (const [key, part] of Object.entries(value)) flatten(part, `${path}.${key}`, places);
  } else places.set(path, JSON.stringify(value));
}

export const SEED = "training.seed";

/** Specs that differ in nothing but the seed, as groups of their indices. */
export function seedGroups(count: number, found: readonly Difference[]): number[][] {
  const groups = new Map<string, number[]>();
  for (let index = 0; index < count; index++) {
    const key = JSON.stringify(found.filter(({ path }) => path !== SEED).map(({ values }) => values[index] ?? null));
    groups.set(key, [...(groups.get(key) ?? []), index]);
  }
  return [...groups.values()];
}

/** What a group has in common, as a label: the differences but the seed. */
export function groupLabel(index: number, found: readonly Difference[]): string {
  const parts = found.filter(({ path }) => path !== SEED).map(({ path, values }) => `${path.split(".").at(-1)} ${values[index] ?? "–"}`);
  return parts.slice(0, 4).join(", ") || "all";
}

// Viridis (van der Walt and Smith 2015), without its palest end, which is lost on white.
const COLORS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [190, 205, 40]] as const;

/** Colours by a value: numbers from dark to bright (by their order of magnitude where that is wide), words one each. */
export function colorsBy(values: readonly (string | undefined)[], categorical: (index: number) => string): string[] {
  const numbers = values.map((value) => (value === undefined ? NaN : Number(value)));
  const known = [...new Set(values)];
  if (known.length < 3 || !numbers.every(Number.isFinite)) return values.map((value) => categorical(known.indexOf(value)));
  const wide = Math.min(...numbers) > 0 && Math.max(...numbers) / Math.min(...numbers) > 20;
  const places = wide ? numbers.map(Math.log) : numbers;
  const [low, high] = [Math.min(...places), Math.max(...places)];
  return places.map((place) => mix((place - low) / (high - low)));
}

function mix(share: number): string {
  const at = Math.min(COLORS.length - 2, Math.floor(share * (COLORS.length - 1)));
  const part = share * (COLORS.length - 1) - at;
  return `rgb(${COLORS[at]!.map((channel, i) => Math.round(channel + part * (COLORS[at + 1]![i]! - channel))).join(" ")})`;
}
