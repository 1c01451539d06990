/**
 * The debiased exponential moving average (Kingma and Ba 2015), as the server computes it: of every point, before
 * anything is left out, so that it does not change with zoom or with the number of buckets.
 */
export interface Average {
  weight: number;
  sum: number; // the biased average
  bias: number; // weight^count: what the start at zero still makes of it
}

export const startAverage = (weight: number): Average => ({ weight, sum: 0, bias: 1 });

/** Go on after the last value that the server told, which is the average of `count` numbers. */
export function resumeAverage(weight: number, last: number, count: number): Average {
  if (!Number.isFinite(last) || count <= 0) return startAverage(weight);
  const bias = weight ** count;
  return { weight, sum: last * (1 - bias), bias };
}

/** Take values that are not finite as absent: the average stays where it was. */
export function nextAverages(average: Average, values: readonly number[]): number[] {
  return values.map((value) => {
    if (Number.isFinite(value)) {
      average.sum = average.weight * average.sum + (1 - average.weight) * value;
      average.bias *= average.weight;
    }
    return average.bias < 1 ? average.sum / (1 - average.bias) : value;
  });
}
