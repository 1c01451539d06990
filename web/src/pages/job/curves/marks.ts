import type { JobEvent } from "../../../api/stream";
import type { Mark, MarkKind } from "../../../charts/lines";
import { firstAtLeast } from "../../../charts/lines";

/** An event that stands on the axis: at a step, or (a warning) at a time. */
export interface Happening {
  id: number;
  kind: MarkKind;
  label: string;
  step: number | null;
  time: number | null; // Unix seconds
}

export const MARKED_KINDS = ["rewound", "checkpoint", "edit_applied", "rolled_back", "early_stop", "skipped_step", "warning"] as const;

const text = (value: unknown): string => String(value ?? "");

/** What an event means on the axis; `time` is when it was written, if that is known, and `step` where the job was. */
export function happeningOf({ id, kind, data }: JobEvent, time: number | null, step: number | null): Happening | null {
  const at = typeof data["step"] === "number" ? data["step"] : null;
  const make = (mark: MarkKind, label: string, place: number | null = at): Happening => ({ id, kind: mark, label, step: place, time });
  switch (kind) {
    case "rewound":
      return at ? make("resume", `Resumed from step ${at}: what came after it was computed anew`) : null;
    case "checkpoint":
      return make("checkpoint", `Checkpoint of step ${text(at)}`);
    case "edit_applied":
      return make("edit", `Edit ${text(data["edit"])} applied before step ${text(at)}, revision ${text(data["revision"])}`);
    case "rolled_back":
      return make("edit", `Rolled back to revision ${text(data["to"])} at step ${text(at)}, as revision ${text(data["revision"])}`);
    case "early_stop":
      return make("stop", `Stopped early at step ${text(at)}: no improvement`);
    case "skipped_step":
      return make("skip", `${text(data["count"] ?? 1)} steps skipped from step ${text(at)}: the loss was not finite`);
    case "warning":
      return make("warning", `Warning: ${text(data["detail"])}`, step);
    default:
      return null;
  }
}

/** Pairs of a step and its place on the axis, as the points of a curve have them. */
export interface Places {
  step: readonly number[];
  x: readonly number[];
}

/** Put happenings on the axis; what has no place there is left out. */
export function marksOn(happenings: readonly Happening[], toX: (happening: Happening) => number | null): Mark[] {
  return happenings
    .flatMap((happening) => {
      const x = toX(happening);
      return x === null || !Number.isFinite(x) ? [] : [{ x, kind: happening.kind, label: happening.label }];
    })
    .sort((a, b) => a.x - b.x);
}

/** The place of a value in one column at the same place in the other, straight between points. */
export function between(from: readonly number[], to: readonly number[], value: number): number | null {
  if (!from.length) return null;
  const after = firstAtLeast(from, value);
  if (after === 0) return to[0]!;
  if (after === from.length) return to.at(-1)!;
  const share = (value - from[after - 1]!) / (from[after]! - from[after - 1]! || 1);
  return to[after - 1]! + share * (to[after]! - to[after - 1]!);
}
