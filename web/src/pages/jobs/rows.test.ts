import { expect, it } from "vitest";
import type { JobSummary } from "../../api/schema";
import { applies, mainMetric, mergeRows, progressOf, smallerIsBetter, successorOf } from "./rows";

const job = (number: number, values: Partial<JobSummary> = {}): JobSummary =>
  ({ id: `job_${number.toString(16).padStart(32, "0")}`, status: "running", wish: null, progress: {}, version: 1, ...values }) as JobSummary;
const shown = (...numbers: number[]) => numbers.map((number) => ({ job: job(number), left: false }));
const places = (rows: { job: JobSummary; left: boolean }[]) => rows.map((row) => [Number(`0x${row.job.id.slice(4)}`), row.left]);

it("keeps a job that left the list in its place", () => {
  const merged = mergeRows(shown(5, 4, 3), [job(5), job(3), job(2)], true);
  expect(places(merged)).toEqual([[5, false], [4, true], [3, false], [2, false]]);
});

it("takes a job back that left and came again", () => {
  const merged = mergeRows([{ job: job(5), left: true }], [job(5, { version: 7 })], true);
  expect(merged).toEqual([{ job: job(5, { version: 7 }), left: false }]);
});

it("lets the next page have what others pushed below the last row", () => {
  expect(places(mergeRows(shown(5, 4, 3), [job(6), job(5), job(4)], false))).toEqual([[6, false], [5, false], [4, false]]);
  expect(places(mergeRows(shown(5, 4, 3), [job(5), job(4)], true))).toEqual([[5, false], [4, false], [3, true]]);
  expect(places(mergeRows(shown(5), [], true))).toEqual([[5, true]]);
});

it("names the id above another one", () => {
  expect(successorOf(job(255).id)).toBe(job(256).id);
  expect(successorOf(`job_${"0".repeat(31)}f`) > `job_${"0".repeat(31)}f`).toBe(true);
});

it("tells which verbs apply", () => {
  expect(applies("cancel", job(1))).toBe(true);
  expect(applies("cancel", job(1, { wish: "cancel" }))).toBe(false);
  expect(applies("delete", job(1))).toBe(false);
  expect(applies("retry", job(1, { status: "failed" }))).toBe(true);
});

it("reads the progress of a job that has none, and of one that has", () => {
  expect(progressOf(job(1))).toEqual({ share: null, step: 0, epoch: null, etaSeconds: null, latest: {} });
  expect(progressOf(job(1, { progress: { step: 5, total_steps: 10, epoch: 1, eta_seconds: 3, latest: { a: "NaN" } } }))).toEqual(
    { share: 0.5, step: 5, epoch: 1, etaSeconds: 3, latest: { a: "NaN" } });
  expect(progressOf(job(1, { progress: { step: 5, total_steps: 10, steps_per_epoch: 10, epoch: 0.5 } })).epoch).toBeNull();
});

it("chooses a curve that the job has", () => {
  const one = job(1, { progress: { latest: { "train/loss": 1, "val/loss": 2, "val/f1": 3 } } });
  expect(mainMetric(one, "val/f1")).toBe("val/f1");
  expect(mainMetric(one, "val/auroc")).toBe("val/loss");
  expect(mainMetric(job(1), "val/f1")).toBeNull();
  const agent = (...names: string[]) => job(1, { progress: { latest: Object.fromEntries(names.map((name) => [name, 1])) } });
  expect(mainMetric(agent("train/loss", "episode/return"), "")).toBe("episode/return");
  expect(mainMetric(agent("train/loss", "episode/return", "val/return"), "")).toBe("val/return");
});

it.each([["val/loss", true], ["train/loss", true], ["val/head/rmse", true], ["val/log_loss", true], ["val/calibration_error", true], ["val/accuracy", false], ["val/r2", false], ["val/return", false]])(
  "knows the direction of %s", (metric, smaller) => expect(smallerIsBetter(metric)).toBe(smaller));
