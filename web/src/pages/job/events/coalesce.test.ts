import { expect, it, vi } from "vitest";
import { coalesced } from "./coalesce";

it("runs once for many requests, and once more for those that come meanwhile", async () => {
  vi.useFakeTimers();
  let finish = () => {};
  const run = vi.fn(() => new Promise<void>((resolve) => (finish = resolve)));
  const { ask } = coalesced(run, 700);
  for (let index = 0; index < 5; index++) {
    ask();
    await vi.advanceTimersByTimeAsync(300); // requests that never pause do not put it off
  }
  expect(run).toHaveBeenCalledTimes(1);
  ask();
  ask();
  await vi.advanceTimersByTimeAsync(5000);
  expect(run).toHaveBeenCalledTimes(1); // it is still running
  finish();
  await vi.advanceTimersByTimeAsync(701);
  expect(run).toHaveBeenCalledTimes(2);
  vi.useRealTimers();
});

it("stops", async () => {
  vi.useFakeTimers();
  const run = vi.fn(() => Promise.resolve());
  const { ask, stop } = coalesced(run, 700);
  ask(true);
  stop();
  await vi.advanceTimersByTimeAsync(1000);
  expect(run).not.toHaveBeenCalled();
  vi.useRealTimers();
});
