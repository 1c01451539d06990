import type { KeyLimits } from "../../api/schema";

export type LimitName = keyof KeyLimits;

export const LIMITS: readonly { name: LimitName; label: string; hint: string }[] = [
  { name: "requests", label: "Requests", hint: "such as 600/minute" },
  { name: "priority", label: "Highest priority", hint: "−100 to 100" },
  { name: "running_jobs", label: "Jobs that run at once", hint: "others wait" },
  { name: "queued_jobs", label: "Jobs that wait at once", hint: "beyond: refused" },
  { name: "parameters", label: "Parameters of one network", hint: "beyond: refused" },
  { name: "stored_bytes", label: "Bytes stored by the owner", hint: "beyond: refused" },
  { name: "unfinished_uploads", label: "Unfinished uploads of the owner", hint: "beyond: refused" },
];

/** The limits in a form's fields; an empty one is null, which takes the key's own limit away. */
export function readLimits(fields: Record<string, string>): Record<string, string | number | null> {
  const limits: Record<string, string | number | null> = {};
  for (const { name } of LIMITS) {
    const text = (fields[name] ?? "").trim();
    limits[name] = text === "" ? null : name === "requests" || !/^-?\d+$/.test(text) ? text : Number(text);
  }
  return limits;
}

/** The time a form's field names, in the reader's own zone, as the API takes it. */
export const readTime = (text: string): string | null => (text ? new Date(text).toISOString() : null);

/** A time of the API as a field of the kind datetime-local has it. */
export function showTime(time: string | null): string {
  if (time === null) return "";
  const at = new Date(time);
  return new Date(at.getTime() - 60_000 * at.getTimezoneOffset()).toISOString().slice(0, 16);
}
