import { expect, it } from "vitest";
import { verbsOf, waitingText } from "./verbs";

it.each([
  ["queued", ["pause", "cancel"]], ["running", ["pause", "cancel"]], ["paused", ["resume", "cancel"]],
  ["failed", ["retry"]], ["cancelled", ["retry"]], ["succeeded", []],
] as const)("offers what a %s job can do", (status, verbs) => expect(verbsOf({ status }).map(({ verb }) => verb)).toEqual(verbs));

it.each([
  [{ position: 1, held_by: null, queue: "a" }, "Next in the queue “a”"],
  [{ position: 7, held_by: null, queue: "a" }, "Place 7 in the queue “a”"],
  [{ position: null, held_by: "no_worker", queue: "a" }, "Waits: no living worker serves its queue"],
] as const)("says why a job waits: %o", (job, text) => expect(waitingText(job)).toBe(text));
