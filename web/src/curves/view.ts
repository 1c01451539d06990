import type { Range } from "../charts/ranges";
import type { AxisKind, ScaleKind } from "../charts/scales";

export type XAxis = "step" | "epoch" | "examples" | "elapsed" | "time";

/** How curves are looked at. All of it is in the address, so that a link shows what its sender saw. */
export interface View {
  measures: string[]; // none: a choice by the number of them
  apart: boolean; // train and val in charts of their own
  x: XAxis;
  xLog: boolean;
  y: ScaleKind;
  smooth: number; // weight of the average, 0 to 0.999
  band: boolean;
  trimmed: boolean;
  range: Range | null; // of x
  pins: number[]; // steps
  jobs: string[]; // other jobs, for comparison
  large: string; // the chart that has the whole width
}

export const AXES: Record<XAxis, { title: string; kind: AxisKind; server: "step" | "elapsed" | "time" }> = {
  step: { title: "Step", kind: "number", server: "step" },
  epoch: { title: "Epoch", kind: "number", server: "step" },
  examples: { title: "Examples", kind: "number", server: "step" },
  elapsed: { title: "Training time", kind: "duration", server: "elapsed" },
  time: { title: "Clock", kind: "clock", server: "time" },
};

export const MAX_PINS = 8;

export function parseView(query: URLSearchParams): View {
  const x = query.get("x") ?? "step";
  const y = query.get("y");
  const [from, to] = [number(query.get("from")), number(query.get("to"))];
  return {
    measures: query.getAll("metric"),
    apart: query.get("apart") === "1",
    x: x in AXES ? (x as XAxis) : "step",
    xLog: query.get("xlog") === "1" && x !== "time",
    y: y === "log" || y === "symlog" ? y : "linear",
    smooth: Math.min(0.999, Math.max(0, number(query.get("smooth")) ?? 0)),
    band: query.get("band") !== "0",
    trimmed: query.get("trim") === "1",
    range: from !== null && to !== null && from < to ? [from, to] : null,
    pins: query.getAll("pin").map(Number).filter(Number.isFinite).slice(0, MAX_PINS),
    jobs: [...new Set(query.getAll("with"))],
    large: query.get("large") ?? "",
  };
}

/** What changes in the address when a view changes; null takes a parameter away. */
export function viewChanges(change: Partial<View>): Record<string, string | string[] | null> {
  const changes: Record<string, string | string[] | null> = {};
  const flag = (value: boolean, word: string) => (value ? word : null);
  if (change.measures) changes["metric"] = change.measures;
  if (change.apart !== undefined) changes["apart"] = flag(change.apart, "1");
  if (change.x !== undefined) changes["x"] = change.x === "step" ? null : change.x;
  if (change.xLog !== undefined) changes["xlog"] = flag(change.xLog, "1");
  if (change.y !== undefined) changes["y"] = change.y === "linear" ? null : change.y;
  if (change.smooth !== undefined) changes["smooth"] = change.smooth ? String(change.smooth) : null;
  if (change.band !== undefined) changes["band"] = flag(!change.band, "0");
  if (change.trimmed !== undefined) changes["trim"] = flag(change.trimmed, "1");
  if (change.range !== undefined) {
    changes["from"] = change.range && short(change.range[0]);
    changes["to"] = change.range && short(change.range[1]);
  }
  if (change.pins) changes["pin"] = change.pins.map(String);
  if (change.jobs) changes["with"] = change.jobs;
  if (change.large !== undefined) changes["large"] = change.large || null;
  return changes;
}

const number = (text: string | null): number | null => (text === null || text === "" || !Number.isFinite(Number(text)) ? null : Number(text));
const short = (value: number): string => String(Number(value.toPrecision(12)));
