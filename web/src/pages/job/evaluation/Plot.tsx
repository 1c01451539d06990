import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { formatNumber } from "../../../ui/format";
import { niceTicks } from "./ticks";

export interface Scale {
  x: (value: number) => number;
  y: (value: number) => number;
}

interface Props {
  title: string;
  description: string; // what is to be seen, for those who do not see it
  x: { label: string; from: number; to: number };
  y: { label: string; from: number; to: number };
  children: (scale: Scale) => ComponentChildren;
}

const SIZE = { width: 360, height: 300, left: 54, right: 12, top: 10, bottom: 44 };

/** Axes with labels, and whatever is drawn between them. */
export function Plot({ title, description, x, y, children }: Props) {
  const id = useId();
  const scale: Scale = {
    x: (value) => SIZE.left + ((value - x.from) / (x.to - x.from || 1)) * (SIZE.width - SIZE.left - SIZE.right),
    y: (value) => SIZE.height - SIZE.bottom - ((value - y.from) / (y.to - y.from || 1)) * (SIZE.height - SIZE.top - SIZE.bottom),
  };
  const [bottom, right] = [SIZE.height - SIZE.bottom, SIZE.width - SIZE.right];
  return (
    <figure class="evaluation-plot">
      <figcaption id={id}>{title}</figcaption>
      <svg viewBox={`0 0 ${SIZE.width} ${SIZE.height}`} role="img" aria-labelledby={id} aria-description={description}>
        {niceTicks(x.from, x.to, 5).map((tick) => (
          <g key={`x${tick}`} class="tick">
            <line x1={scale.x(tick)} x2={scale.x(tick)} y1={SIZE.top} y2={bottom} />
            <text x={scale.x(tick)} y={bottom + 16} text-anchor="middle">{formatNumber(tick, 3)}</text>
          </g>
        ))}
        {niceTicks(y.from, y.to, 5).map((tick) => (
          <g key={`y${tick}`} class="tick">
            <line x1={SIZE.left} x2={right} y1={scale.y(tick)} y2={scale.y(tick)} />
            <text x={SIZE.left - 6} y={scale.y(tick) + 4} text-anchor="end">{formatNumber(tick, 3)}</text>
          </g>
        ))}
        <text class="axis" x={(SIZE.left + right) / 2} y={SIZE.height - 8} text-anchor="middle">{x.label}</text>
        <text class="axis" transform={`translate(13 ${(SIZE.top + bottom) / 2}) rotate(-90)`} text-anchor="middle">{y.label}</text>
        {children(scale)}
      </svg>
    </figure>
  );
}

/** The way of a line through points, for the attribute `d`. */
export const linePath = (points: readonly (readonly [number, number])[], scale: Scale): string =>
  points.map(([x, y], index) => `${index ? "L" : "M"}${scale.x(x).toFixed(1)} ${scale.y(y).toFixed(1)}`).join("");
