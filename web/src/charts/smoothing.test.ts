import { expect, it } from "vitest";
import { nextAverages, resumeAverage, startAverage } from "./smoothing";

const values = Array.from({ length: 50 }, (_, i) => Math.sin(i) + i / 10);

it("is the value itself at first, and the mean of equal values", () => {
  expect(nextAverages(startAverage(0.9), [3, 3, 3])).toEqual([3, 3, 3].map((v) => expect.closeTo(v, 12)));
});

it.each([0.1, 0.6, 0.9, 0.99])("goes on as if it had never stopped, with the weight %d", (weight) => {
  const whole = nextAverages(startAverage(weight), values);
  const resumed = resumeAverage(weight, whole[19]!, 20);
  nextAverages(resumed, values.slice(20)).forEach((value, i) => expect(value).toBeCloseTo(whole[20 + i]!, 9));
});

it("passes over what is not finite", () => {
  const [a, b, c] = nextAverages(startAverage(0.5), [1, NaN, Infinity]);
  expect([a, b, c]).toEqual([1, 1, 1]);
  expect(nextAverages(startAverage(0.5), [NaN])[0]).toBeNaN();
});
