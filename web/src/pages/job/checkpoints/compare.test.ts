import { expect, it } from "vitest";
import type { Checkpoint } from "../../../api/schema";
import { compareValues, shownSeries } from "./compare";

const checkpoint = (id: string, values: Checkpoint["values"]): Checkpoint => ({
  id, values, job_id: "job", step: 1, revision: 1, epoch: 1, best: false, final: false, created_at: "", files: [{ name: "weights.safetensors", size: 1, sha256: id, url: "" }],
});

it("compares values, NaN where one is missing", () => {
  const [loss, f1] = compareValues(checkpoint("a", { "val/loss": 0.5 }), checkpoint("b", { "val/loss": "Infinity", "val/f1": 1 }));
  expect(loss).toEqual({ name: "val/loss", first: 0.5, second: Infinity, difference: Infinity });
  expect(f1).toEqual({ name: "val/f1", first: NaN, second: 1, difference: NaN });
});

it("shows the monitored series first", () => {
  const all = [checkpoint("a", { "train/loss": 1, "val/loss": 1, "val/f1": 1 })];
  expect(shownSeries(all, "val/f1", 2)).toEqual(["val/f1", "val/loss"]);
  expect(shownSeries(all, null, 9)).toEqual(["val/loss", "val/f1", "train/loss"]);
});
