import { formatAge, formatTime } from "./format";

/** A time as its age, with the exact time on hover and for screen readers. */
export function Time({ at }: { at: string }) {
  return <time dateTime={at} title={formatTime(at)}>{formatAge(at)}</time>;
}
