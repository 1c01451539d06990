import { formatNumber, formatPercent, toNumber } from "../../../ui/format";
import { quantityOf, type Buckets } from "./statistics";

const WIDTH = 250;
const HEIGHT = 74;

/** One quantity of a node over time: the band of what came in between, the line of the last values, and the newest one. */
export function SmallMultiple({ name, buckets, step }: { name: string; buckets: Buckets; step: number }) {
  const quantity = quantityOf(name);
  const format = (value: number) => (quantity.share ? formatPercent(value) : formatNumber(value, 3));
  const numbers = (values: Buckets["last"]) => values.map(toNumber);
  const [low, high, last] = [numbers(buckets.min), numbers(buckets.max), numbers(buckets.last)];
  const positive = quantity.logarithmic && [...low, ...last].every((value) => !(value <= 0));
  const map = positive ? Math.log : (value: number) => value;
  const finite = [...low, ...high].filter(Number.isFinite);
  const [least, most] = [Math.min(...finite), Math.max(...finite)];
  const span = map(most) - map(least) || 1;
  const x = (at: number) => scale(at, buckets.step[0]!, buckets.step.at(-1)!) * WIDTH;
  const y = (value: number) => HEIGHT - 4 - ((map(value) - map(least)) / span) * (HEIGHT - 8);
  const upper = high.map((value, index) => [x(buckets.step[index]!), y(value)] as const).filter(isFinitePoint);
  const lower = low.map((value, index) => [x(buckets.step[index]!), y(value)] as const).filter(isFinitePoint);
  const bad = last.filter((value) => !Number.isFinite(value)).length;
  const now = last.at(-1)!;
  return (
    <figure class="inside-multiple">
      <figcaption>
        {quantity.label} <strong>{format(now)}</strong>
        {bad > 0 && <span class="error"> {bad} not finite</span>}
      </figcaption>
      {finite.length > 0 && (
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${quantity.label} from step ${buckets.step[0]} to ${buckets.step.at(-1)}: ${format(last[0]!)} to ${format(now)}, between ${format(least)} and ${format(most)}`}>
          <path class="band" d={`${polyline(upper)}L${polyline(lower.toReversed()).slice(1)}Z`} />
          <path class="line" d={lines(last.map((value, index) => [x(buckets.step[index]!), y(value)] as const))} />
          {buckets.step.length === 1 && <circle cx={WIDTH / 2} cy={y(now)} r={3} />}
          {step < buckets.step.at(-1)! && <path class="now" d={`M${x(step).toFixed(1)} 0V${HEIGHT}`} />}
        </svg>
      )}
      {finite.length > 0 && <div class="inside-range muted">{least === most ? `always ${format(least)}` : `from ${format(least)} to ${format(most)}${positive ? ", logarithmic" : ""}`}</div>}
    </figure>
  );
}

const scale = (value: number, from: number, to: number): number => (to > from ? Math.min(1, Math.max(0, (value - from) / (to - from))) : 0.5);
const isFinitePoint = (point: readonly [number, number]) => Number.isFinite(point[1]);
const polyline = (points: (readonly [number, number])[]): string => `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;

/** A path with a gap where a value is not finite. */
function lines(points: (readonly [number, number])[]): string {
  let path = "";
  let open = false;
  for (const point of points) {
    if (!isFinitePoint(point)) open = false;
    else {
      path += `${open ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
      open = true;
    }
  }
  return path;
}
