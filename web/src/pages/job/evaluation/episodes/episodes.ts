/** The report of a network that acts in an environment (docs/report.md), and what the page computes from it. */

/** By step: one number, of a discrete space the number of the choice; or the numbers of its components. */
type Values = (number | null)[] | (number | null)[][];

export interface RecordedEpisode {
  episode: number;
  return: number;
  length: number;
  terminated: boolean; // it ended by itself; else a time limit cut it off
  observations: Values; // one more than there are actions: the last is where it ended
  actions: Values;
  rewards: (number | null)[];
  observation_names: string[] | null;
  action_names: string[] | null;
  notes: string[];
}

export interface Episodes {
  count: number;
  return: { mean: number; std: number; min: number; max: number };
  returns: number[];
  lengths: number[];
  terminated: number;
  means: Record<string, number | null>;
  recorded: RecordedEpisode;
}

/** What one number of an episode was over its steps; null where it is no number. */
export interface Track {
  name: string;
  values: (number | null)[]; // by step, from 0 on
  choices: string[] | null; // what the values of a discrete action are called
}

/** The reward, the action and the observation of an episode, one track for each of their numbers. */
export function tracksOf({ rewards, actions, observations, action_names, observation_names }: RecordedEpisode): Track[] {
  return [
    { name: "reward", values: rewards, choices: null },
    ...actionTracks(actions, action_names),
    ...columnsOf(rowsOf(observations)).map((values, index, all) => ({ name: observation_names?.[index] ?? nameAt("observation", index, all.length), values, choices: null })),
  ];
}

function actionTracks(actions: RecordedEpisode["actions"], names: string[] | null): Track[] {
  if (actions.every((each) => !Array.isArray(each))) return [{ name: "action", values: actions as (number | null)[], choices: names }];
  return columnsOf(rowsOf(actions)).map((values, index, all) => ({ name: names?.[index] ? `action: ${names[index]}` : nameAt("action", index, all.length), values, choices: null }));
}

const nameAt = (what: string, index: number, count: number): string => (count === 1 ? what : `${what}[${index}]`);

/** The components by step; one number is the only component. */
export const rowsOf = (values: Values): (number | null)[][] => values.map((each) => (Array.isArray(each) ? each : [each]));

const columnsOf = (rows: readonly (number | null)[][]): (number | null)[][] => (rows[0] ?? []).map((_, index) => rows.map((row) => row[index] ?? null));

/** The value below which a share of some numbers lies, straight between the two nearest; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(place)] ?? NaN, sorted[Math.ceil(place)] ?? NaN];
  return low + (high - low) * (place - Math.floor(place));
}

const BINS = 20;

/** How many of some numbers are in bins of equal width; of equal numbers there is one bin around them. */
export function histogramOf(values: readonly number[]): { edges: number[]; counts: number[] } {
  const [low, high] = [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
  if (!(low < high)) return low === high ? { edges: [low - 0.5, low + 0.5], counts: [values.length] } : { edges: [], counts: [] };
  const width = (high - low) / BINS;
  const counts = Array<number>(BINS).fill(0);
  for (const value of values) counts[Math.min(BINS - 1, Math.floor((value - low) / width))]!++;
  return { edges: Array.from({ length: BINS + 1 }, (_, index) => low + index * width), counts };
}
