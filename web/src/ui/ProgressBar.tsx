/** How much is done, from 0 to 1; null where that is not known. */
export function ProgressBar({ value, label }: { value: number | null; label: string }) {
  return <progress max={1} {...(value === null ? {} : { value: Math.min(1, Math.max(0, value)) })} aria-label={label} />;
}
