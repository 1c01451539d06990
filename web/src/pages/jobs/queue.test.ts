import { expect, it } from "vitest";
import { describePlace, type QueuePlace } from "./queue";

const now = Date.parse("2026-01-01T00:00:00Z");
const place = (values: Partial<QueuePlace>): QueuePlace => ({ position: null, startsAt: null, heldBy: null, at: 0, ...values });

it.each([
  [place({ position: 1 }), "next"],
  [place({ position: 1234, startsAt: "2026-01-01T00:02:00Z" }), "place 1,234, starts in about 2 min"],
  [place({ position: 2, startsAt: "2025-12-31T23:00:00Z" }), "place 2, starts now"],
  [place({ position: 2, heldBy: "no_device" }), "place 2, no worker has the device that it needs"],
  [place({ heldBy: "running_limit" }), "its key runs as many jobs as it may"],
])("describes %o", (given, text) => expect(describePlace(given, null, now)).toBe(text));

it("tells how long a job waits for its time", () =>
  expect(describePlace(place({ heldBy: "not_before" }), "2026-01-02T00:00:00Z", now)).toBe("waits for its time, in 1 d"));
