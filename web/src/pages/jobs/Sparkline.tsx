import { formatNumber } from "../../ui/format";
import { shapeOf, type SmallCurve } from "./curves";

const WIDTH = 120;
const HEIGHT = 26;

/** A small curve with the envelope of all its points, so that no spike is left out. */
export function Sparkline({ curve, metric }: { curve: SmallCurve; metric: string }) {
  const { line, band, logarithmic } = shapeOf(curve, WIDTH, HEIGHT);
  const [first, last] = [curve.last[0]!, curve.last.at(-1)!];
  const label = `${metric} from ${formatNumber(first)} to ${formatNumber(last)}, best ${formatNumber(curve.best)}${logarithmic ? "; logarithmic scale" : ""}`;
  return (
    <svg class="jobs-sparkline" role="img" aria-label={label} viewBox={`-2 -2 ${WIDTH + 4} ${HEIGHT + 4}`} width={WIDTH} height={HEIGHT + 4} preserveAspectRatio="none">
      <title>{label}</title>
      <path class="band" d={band} />
      <path class="line" d={line} />
    </svg>
  );
}
