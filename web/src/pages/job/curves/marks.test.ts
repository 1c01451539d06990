import { expect, it } from "vitest";
import { between, happeningOf, marksOn } from "./marks";

const event = (kind: string, data: Record<string, unknown>) => ({ id: 1, kind, data });

it.each([
  ["rewound", { step: 0 }, null],
  ["rewound", { step: 40 }, ["resume", 40]],
  ["checkpoint", { step: 7 }, ["checkpoint", 7]],
  ["edit_applied", { step: 9, edit: 1, revision: 2 }, ["edit", 9]],
  ["rolled_back", { step: 9, to: 1, revision: 3 }, ["edit", 9]],
  ["early_stop", { step: 5 }, ["stop", 5]],
  ["skipped_step", { step: 5, count: 2 }, ["skip", 5]],
  ["warning", { detail: "the disk is full" }, ["warning", 33]],
  ["phase", { phase: "training" }, null],
])("makes of %s %o what stands on the axis", (kind, data, expected) => {
  const found = happeningOf(event(kind, data), 1e9, 33);
  expect(found && [found.kind, found.step]).toEqual(expected);
});

it("orders marks by their places, and leaves out what has none", () => {
  const all = [5, 2, 9].map((step) => happeningOf(event("checkpoint", { step }), null, null)!);
  expect(marksOn(all, ({ step }) => (step === 9 ? null : step)).map(({ x }) => x)).toEqual([2, 5]);
});

it("finds places between points", () => {
  expect([0, 1, 1.5, 3].map((value) => between([1, 2], [10, 20], value))).toEqual([10, 10, 15, 20]);
  expect(between([], [], 3)).toBeNull();
});
