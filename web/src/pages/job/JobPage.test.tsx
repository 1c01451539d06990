// @vitest-environment jsdom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import JobPage from "./JobPage";

const RUNNING = {
  id: "job_1", name: "digits", status: "running", wish: null, phase: null, version: 3, revision: 1, last_event: 7,
  progress: { step: 5, total: 10, epoch: 1 }, error: null, warnings: [], metadata: {}, created_at: "2026-01-01T00:00:00Z",
};
let job: () => Response; // what the service answers to a request for the job

const json = (document: unknown) => new Response(JSON.stringify(document));
/** Let five seconds pass, and the page be drawn anew in each fifth of one. */
const wait = async () => {
  for (let turn = 0; turn < 25; turn++) await act(() => vi.advanceTimersByTimeAsync(200).then(() => undefined));
};
const text = () => document.body.textContent ?? "";

beforeEach(() => {
  vi.useFakeTimers();
  job = () => json(RUNNING);
  vi.stubGlobal("fetch", (url: string) =>
    Promise.resolve().then(() => (url.endsWith("/stream") ? new Response('event: done\ndata: {}\n\n') : job())),
  );
});
afterEach(() => {
  render(null, document.body);
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("says that the connection is lost when the job cannot be read after its stream has ended", async () => {
  let answered = 0;
  job = () => {
    if (answered++ === 0) return json(RUNNING);
    throw new TypeError("connection refused");
  };
  await act(() => render(<JobPage parameters={{ id: "job_1", "*": "none" }} />, document.body));
  await wait();
  expect(text()).toContain("running");
  expect(text()).toContain("Connection lost, trying again");
  job = () => json({ ...RUNNING, status: "succeeded", version: 4, finished_at: "2026-01-01T00:00:09Z" });
  await wait();
  expect(text()).toContain("succeeded");
  expect(text()).not.toContain("Connection lost");
});

it("says nothing of a stream that has ended while the job can be read", async () => {
  await act(() => render(<JobPage parameters={{ id: "job_1", "*": "none" }} />, document.body));
  await wait();
  expect(text()).toContain("running");
  expect(text()).not.toContain("Connection lost");
});
