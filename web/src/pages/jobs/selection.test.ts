import { expect, it } from "vitest";
import type { JobSummary } from "../../api/schema";
import { refreshSelection, selectRange } from "./selection";

const jobs = ["d", "c", "b", "a"].map((id) => ({ id }) as JobSummary);
const none = new Map<string, JobSummary>();
const ids = (selection: ReadonlyMap<string, JobSummary>) => [...selection.keys()].sort().join("");

it("selects one job, and the jobs between two in either direction", () => {
  const one = selectRange(none, jobs, undefined, "c", true);
  expect(ids(one)).toBe("c");
  expect(ids(selectRange(one, jobs, "c", "a", true))).toBe("abc");
  expect(ids(selectRange(one, jobs, "a", "d", true))).toBe("abcd");
});

it("deselects a range, and only one where the other end is on another page", () => {
  const all = selectRange(none, jobs, "a", "d", true);
  expect(ids(selectRange(all, jobs, "a", "b", false))).toBe("cd");
  expect(ids(selectRange(none, jobs, "elsewhere", "b", true))).toBe("b");
});

it("has the present state of the jobs that are shown", () => {
  const selection = selectRange(none, jobs, "d", "c", true);
  const fresh = refreshSelection(selection, [{ id: "c", status: "failed" } as JobSummary]);
  expect(fresh.get("c")?.status).toBe("failed");
  expect(ids(fresh)).toBe("cd");
});
