import { edgePath, type PlacedEdge, type PlacedPort } from "../layout/layout";
import { shorten } from "../layout/sizes";
import { formatShape } from "../model/inspection";

/** An edge, with the shape of its value where it begins. */
export function EdgeView({ edge: { points, label }, near }: { edge: PlacedEdge; near: boolean }) {
  return (
    <g class={near ? "graph-edge near" : "graph-edge"}>
      <path d={edgePath(points)} marker-end="url(#graph-arrow)" />
      {label && <text x={label.x} y={label.y} text-anchor={label.anchor}>{label.text}</text>}
    </g>
  );
}

interface PortProps {
  placed: PlacedPort;
  current: boolean;
  onFocus: () => void;
}

/** Where a value comes into a network or a body, or leaves it. */
export function PortView({ placed, current, onFocus }: PortProps) {
  const { port, width, height } = placed;
  const text = `${shorten(port.name)}  ${formatShape(port.value)}`;
  return (
    <g
      class={`graph-port ${placed.side}`} transform={`translate(${placed.x} ${placed.y})`} data-key={placed.key}
      tabIndex={current ? 0 : -1} role="img" aria-label={`${placed.side} ${port.name}, ${formatShape(port.value)}`} onFocus={onFocus}
    >
      <rect class="graph-shape" width={width} height={height} rx={height / 2} />
      <text x={width / 2} y={16} text-anchor="middle">{text}</text>
    </g>
  );
}
