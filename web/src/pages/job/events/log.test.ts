import { expect, it } from "vitest";
import type { Event } from "../../../api/schema";
import { byAttempt, groupOf, lineOf, matches } from "./log";

const event = (kind: string, data: Record<string, unknown> = {}, fence = 1, id = 1): Event => ({ id, kind, fence, at: "2026-11-29T22:55:18.817Z", data });

it.each([
  [event("status", { verb: "claim", from: "queued", to: "running", worker: "vm:1" }), "info", "status", "queued → running (claim), by worker vm:1"],
  [event("status", { verb: "fail", from: "running", to: "failed", error: { code: "data_invalid", message: "<b>", pointer: "/data" } }), "error", "warning", "running → failed (fail)"],
  [event("warning", { code: "storage_full", detail: "no room", hint: "delete" }), "warning", "warning", "storage_full: no room – delete"],
  [event("skipped_step", { step: 7 }), "warning", "warning", "Step 7 was skipped: its loss is no finite number."],
  [event("rewound", { step: 0, checkpoint: null }), "info", "checkpoint", "Begins at step 0."],
  [event("edit_applied", { edit: 2, step: 1500, revision: 3 }), "info", "edit", "Edit 2 was applied at step 1,500: revision 3."],
  [event("metrics", { series: {}, progress: { step: 9, latest: { "train/loss": "NaN" } } }), "info", "metrics", "Step 9: train/loss NaN"],
  [event("split", { train: 1200, validation: 300 }), "info", "training", "Rows: 1,200 train, 300 validation"],
  [event("something_new", { a: 1 }), "info", "training", 'something new: {"a":1}'],
])("says %j", (one, level, group, text) => {
  const line = lineOf(one);
  expect([line.level, groupOf(line), line.text]).toEqual([level, group, text]);
});

it("has problems in full", () => {
  const line = lineOf(event("edit_rejected", { edit: 1, problems: [{ pointer: "/operations/0", code: "shape_mismatch", detail: "64 is not 32", hint: "widen" }] }));
  expect(line.details).toEqual(["shape_mismatch: at /operations/0: 64 is not 32 – widen"]);
});

it("finds words anywhere", () => {
  const line = lineOf(event("checkpoint", { id: "ckpt_1", step: 45 }));
  expect(matches(line, "CKPT step")).toBe(true);
  expect(matches(line, "ckpt missing")).toBe(false);
});

it("separates attempts", () => {
  const lines = [event("created", {}, 0), event("phase", {}, 1), event("phase", {}, 1), event("phase", {}, 2)].map(lineOf);
  expect(byAttempt(lines).map((each) => [each.fence, each.lines.length])).toEqual([[0, 1], [1, 2], [2, 1]]);
});
