import { expect, it } from "vitest";
import { histogramOf, quantile, tracksOf, type RecordedEpisode } from "./episodes";

const episode = (more: Partial<RecordedEpisode>): RecordedEpisode => ({
  episode: 0, return: -3, length: 2, terminated: false, observations: [[1, 0], [2, 1], [3, 2]], actions: [[0.5], [-0.5]], rewards: [-1, -2],
  observation_names: null, action_names: null, notes: [], ...more,
});

it("makes a track of every number of an episode", () =>
  expect(tracksOf(episode({ observation_names: ["angle", "speed"], action_names: ["torque"] }))).toEqual([
    { name: "reward", values: [-1, -2], choices: null },
    { name: "action: torque", values: [0.5, -0.5], choices: null },
    { name: "angle", values: [1, 2, 3], choices: null },
    { name: "speed", values: [0, 1, 2], choices: null },
  ]));

it("numbers what has no name", () => {
  expect(tracksOf(episode({})).map(({ name }) => name)).toEqual(["reward", "action", "observation[0]", "observation[1]"]);
  expect(tracksOf(episode({ actions: [[1, 2], [3, 4]], observations: [[7], [8], [9]] })).map(({ name }) => name)).toEqual(["reward", "action[0]", "action[1]", "observation"]);
  expect(tracksOf(episode({ observations: [3, 4, 5] }))[2]).toEqual({ name: "observation", values: [3, 4, 5], choices: null });
});

it("knows the choices of a discrete action", () =>
  expect(tracksOf(episode({ actions: [1, 0], action_names: ["left", "right"] }))[1]).toEqual({ name: "action", values: [1, 0], choices: ["left", "right"] }));

it("counts returns", () => {
  const { edges, counts } = histogramOf([0, 0.4, 10]);
  expect([edges.length, edges[0], edges.at(-1), counts[0], counts.at(-1), counts.reduce((a, b) => a + b)]).toEqual([21, 0, 10, 2, 1, 3]);
  expect(histogramOf([500, 500])).toEqual({ edges: [499.5, 500.5], counts: [2] });
  expect(histogramOf([])).toEqual({ edges: [], counts: [] });
});

it("finds quantiles", () => expect([quantile([3, 1, 2], 0.5), quantile([4, 1], 0.25), quantile([], 0.5)]).toEqual([2, 1.75, NaN]));
