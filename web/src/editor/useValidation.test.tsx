// @vitest-environment jsdom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ApiError } from "../api/problem";
import type { Report } from "../api/schema";
import { useValidation, type Validation } from "./useValidation";

const report = { warnings: [] } as unknown as Report;
let state: { validation: Validation; checking: boolean };
const send = vi.fn<(text: string, signal: AbortSignal) => Promise<Report>>();

function Probe({ text }: { text: string }) {
  state = useValidation(text, send);
  return null;
}

const type = (text: string) => act(() => render(<Probe text={text} />, document.body));
const wait = (milliseconds: number) => act(() => vi.advanceTimersByTimeAsync(milliseconds).then(() => undefined));

beforeEach(() => {
  vi.useFakeTimers();
  send.mockReset();
});
afterEach(() => {
  render(null, document.body);
  vi.useRealTimers();
});

it("asks once the keys rest, for the last text alone", async () => {
  send.mockResolvedValue(report);
  await type("1");
  await wait(100);
  await type("12");
  expect(state.checking).toBe(true);
  await wait(600);
  expect(send.mock.calls.map(([text]) => text)).toEqual(["12"]);
  expect(state).toMatchObject({ checking: false, validation: { text: "12", report } });
});

it("gives an earlier request up, and does not show its late answer", async () => {
  let answer: (report: Report) => void = () => undefined;
  send.mockImplementationOnce((_, signal) => new Promise((resolve, reject) => {
    answer = resolve;
    signal.addEventListener("abort", () => reject(signal.reason as Error));
  }));
  send.mockRejectedValueOnce(new ApiError(422, { errors: [{ pointer: "/model", code: "x", detail: "d", hint: "" }] }));
  await type("1");
  await wait(500);
  await type("2");
  expect(send.mock.calls[0]![1].aborted).toBe(true);
  answer(report);
  await wait(600);
  expect(state.validation).toMatchObject({ text: "2", report: null, errors: [{ pointer: "/model" }] });
});

it("does not send what is no JSON", async () => {
  await type('{"a": ');
  await wait(1000);
  expect(send).not.toHaveBeenCalled();
  expect(state.checking).toBe(false);
});

it("asks again while the service cannot be reached", async () => {
  send.mockRejectedValueOnce(new ApiError(0, { detail: "unreachable" })).mockResolvedValueOnce(report);
  await type("1");
  await wait(600);
  expect(state.validation.failure).toBeInstanceOf(ApiError);
  await wait(3100);
  await wait(600);
  expect(state.validation).toMatchObject({ report, failure: null });
});
