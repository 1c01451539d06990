import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createLane } from "./lane";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = new AbortController().signal;
const task = (name: string, log: string[], milliseconds: number) => async () => {
  log.push(`${name} begins`);
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  log.push(`${name} ends`);
};

it("runs as many tasks at once as it may, in their order", async () => {
  const log: string[] = [];
  const lane = createLane({ atOnce: 2, rest: 0 });
  for (const name of ["a", "b", "c"]) void lane.run(task(name, log, 10), never);
  await vi.advanceTimersByTimeAsync(10);
  expect(log).toEqual(["a begins", "b begins", "a ends", "b ends"]);
  await vi.advanceTimersByTimeAsync(1);
  expect(log.at(-1)).toBe("c begins");
});

it("rests after a slow task", async () => {
  const log: string[] = [];
  const lane = createLane({ atOnce: 1, rest: 3, now: Date.now });
  for (const name of ["a", "b"]) void lane.run(task(name, log, 100), never);
  await vi.advanceTimersByTimeAsync(390);
  expect(log).toEqual(["a begins", "a ends"]);
  await vi.advanceTimersByTimeAsync(20);
  expect(log.at(-1)).toBe("b begins");
});

it("does not run what was given up, and goes on after a failure", async () => {
  const log: string[] = [];
  const lane = createLane({ atOnce: 1, rest: 0 });
  const controller = new AbortController();
  const failed = expect(lane.run(() => Promise.reject(new Error("no")), never)).rejects.toThrow("no");
  const aborted = expect(lane.run(task("b", log, 1), controller.signal)).rejects.toThrow("left");
  void lane.run(task("c", log, 1), never);
  controller.abort(new Error("left"));
  await vi.advanceTimersByTimeAsync(10);
  expect(log).toEqual(["c begins", "c ends"]);
  await failed;
  await aborted;
});
