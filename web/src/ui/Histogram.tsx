import { formatNumber } from "./format";

interface Props {
  counts: readonly number[]; // of bins of equal width
  label: string; // what is counted, with its range
}

const HEIGHT = 34;
const BAR = 6;

/** A small histogram. Its label says in words what it shows. */
export function Histogram({ counts, label }: Props) {
  const most = Math.max(1, ...counts);
  const text = `${label}; the fullest of ${counts.length} bins has ${formatNumber(most)}`;
  return (
    <svg class="histogram" viewBox={`0 0 ${counts.length * BAR} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={text}>
      <title>{text}</title>
      {counts.map((count, index) => {
        const height = count === 0 ? 0 : Math.max(1, (HEIGHT * count) / most); // one row is seen, too
        return <rect key={index} x={index * BAR} y={HEIGHT - height} width={BAR - 1} height={height} />;
      })}
    </svg>
  );
}

/** Counts of words as bars, the largest first. */
export function WordBars({ counts, total, limit = 4 }: { counts: Record<string, number>; total: number; limit?: number }) {
  const shown = Object.entries(counts).slice(0, limit);
  const most = Math.max(1, ...shown.map(([, count]) => count));
  return (
    <ul class="word-bars">
      {shown.map(([word, count]) => (
        <li key={word}>
          <span class="ellipsis" title={word}>{word === "" ? "(empty)" : word}</span>
          <progress max={most} value={count} aria-hidden="true" />
          <span class="number">{formatNumber(count)}{total > 0 && ` (${Math.round((100 * count) / total)} %)`}</span>
        </li>
      ))}
    </ul>
  );
}
