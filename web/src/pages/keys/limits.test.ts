import { expect, test } from "vitest";
import { LIMITS, readLimits, readTime, showTime } from "./limits";

test("an empty field takes a limit away, a number is one, anything else goes to the API as it is", () => {
  const limits = readLimits({ requests: "600/minute", priority: "-5", queued_jobs: " 7 ", parameters: "many" });
  expect(limits).toEqual({ requests: "600/minute", priority: -5, running_jobs: null, queued_jobs: 7, parameters: "many", stored_bytes: null, unfinished_uploads: null });
  expect(Object.keys(limits)).toEqual(LIMITS.map(({ name }) => name));
});

test("a time goes through a field and back, to the minute", () => {
  expect(readTime("")).toBeNull();
  expect(showTime(null)).toBe("");
  const field = showTime("2027-03-04T05:06:00.000Z");
  expect(readTime(field)).toBe("2027-03-04T05:06:00.000Z");
});
