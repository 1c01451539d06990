import { formatDuration, formatNumber } from "../ui/format";
import type { AxisKind } from "./scales";

/** A value of an axis as its label says it. */
export function formatTick(value: number, axis: AxisKind, span: number): string {
  if (axis === "duration") return value === 0 ? "0" : formatDuration(value).replace(/\.0 s$/, " s");
  if (axis === "clock") return formatClock(value, span);
  if (value !== 0 && Math.abs(value) >= 1e4 && Number.isInteger(value) && Math.abs(value) < 1e15) return compact(value);
  return formatNumber(value, 6);
}

/** A value as the readout says it, with its exact time. */
export function formatX(value: number, axis: AxisKind): string {
  if (axis === "duration") return formatDuration(value);
  if (axis === "clock") return new Date(value * 1000).toLocaleString("en", { dateStyle: "medium", timeStyle: "medium", hour12: false });
  return formatNumber(value, 7);
}

function formatClock(value: number, span: number): string {
  const date = new Date(value * 1000);
  if (span > 3 * 86_400) return date.toLocaleDateString("en", { month: "short", day: "numeric" });
  const time = { hour: "2-digit", minute: "2-digit", hour12: false } as const;
  return date.toLocaleTimeString("en", span < 600 ? { ...time, second: "2-digit" } : time);
}

/** 12,000 as 12k, 1,500,000 as 1.5M. */
function compact(value: number): string {
  const [unit, sign] = Math.abs(value) >= 1e9 ? [1e9, "G"] : Math.abs(value) >= 1e6 ? [1e6, "M"] : [1e3, "k"];
  return `${Number((value / unit).toPrecision(6))}${sign}`;
}
