import { useRef, useState } from "preact/hooks";
import type { Drawing } from "../layout/layout";
import { neighbour, type Direction } from "../layout/neighbours";
import type { NodeProblem } from "../model/problems";
import { BoxView, type Mark } from "./BoxView";
import { EdgeView, PortView } from "./EdgeView";
import { scaleOf, valueOf, type Overlay } from "./overlay";
import type { Viewport } from "./useViewport";

export interface CanvasProps {
  drawing: Drawing;
  viewport: Viewport;
  svg: { current: SVGSVGElement | null };
  layer: { current: SVGGElement | null };
  label: string;
  selected: string | null;
  found: ReadonlySet<string>;
  problems: ReadonlyMap<string, readonly NodeProblem[]>;
  marks: ReadonlyMap<string, Mark> | undefined;
  badges: ReadonlyMap<string, string> | undefined;
  overlay: Overlay | undefined;
  onSelect: (path: string | null) => void;
  onToggle: (path: string) => void;
  onReveal: (key: string) => void;
  onCommand: (command: "fit" | "search") => void;
}

const ARROWS: Record<string, Direction> = { ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right" };

/** The drawing itself: arrows go along edges, Enter selects, Space folds, + and - zoom, 0 shows all. */
export function Canvas(props: CanvasProps) {
  const { drawing, viewport, svg, layer, selected, overlay } = props;
  const [focused, setFocused] = useState<string | null>(null);
  const keys = useRef<Set<string>>(new Set());
  keys.current = new Set([...drawing.boxes, ...drawing.ports].map((item) => item.key));
  const current = [focused, selected, drawing.boxes[0]?.key].find((key) => key && keys.current.has(key)) ?? null;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (handleKey(event.key, current, props)) event.preventDefault();
  };
  const scale = overlay && scaleOf(overlay);
  const colored = (box: Drawing["boxes"][number]["box"]) => {
    const found = overlay && valueOf(overlay, box);
    return found && scale ? { share: scale.share(found.value), text: (found.inside ? "max " : "") + scale.format(found.value) } : undefined;
  };
  return (
    <svg ref={svg} class="graph-canvas" role="group" aria-label={props.label} onKeyDown={onKeyDown} onClick={(event) => event.target === svg.current && props.onSelect(null)}>
      <defs>
        <marker id="graph-arrow" class="graph-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">
          <path d="M0 0.8L7.5 4L0 7.2Z" />
        </marker>
      </defs>
      <g ref={layer}>
        {drawing.boxes.filter((placed) => placed.open).map((placed) => boxView(placed))}
        {drawing.edges.map((edge) => (
          <EdgeView key={edge.key} edge={edge} near={current !== null && focused === current && (edge.from === current || edge.to === current)} />
        ))}
        {drawing.ports.map((placed) => (
          <PortView key={placed.key} placed={placed} current={placed.key === current} onFocus={() => setFocused(placed.key)} />
        ))}
        {drawing.boxes.filter((placed) => !placed.open).map((placed) => boxView(placed))}
      </g>
    </svg>
  );

  function boxView(placed: Drawing["boxes"][number]) {
    const { box, key } = placed;
    return (
      <BoxView
        key={key} placed={placed} current={key === current} selected={key === selected} found={props.found.has(key)}
        mark={props.marks?.get(key)} problems={props.problems.get(key)} value={colored(box)} badge={props.badges?.get(key)}
        onFocus={() => setFocused(key)} onSelect={() => props.onSelect(key)} onToggle={() => props.onToggle(key)}
      />
    );
  }

  function handleKey(key: string, at: string | null, { onSelect, onToggle, onReveal, onCommand }: CanvasProps): boolean {
    const direction = ARROWS[key];
    const box = drawing.boxes.find((each) => each.key === at)?.box;
    if (direction && at) {
      const next = neighbour(drawing, at, direction);
      if (next) {
        focusKey(layer.current, next);
        onReveal(next);
      }
    } else if (key === "Enter" && box) onSelect(box.path);
    else if (key === " " && box?.scopes.length) onToggle(box.path);
    else if (key === "Escape") onSelect(null);
    else if (key === "+" || key === "=") viewport.zoom(1.25);
    else if (key === "-") viewport.zoom(0.8);
    else if (key === "0") onCommand("fit");
    else if (key === "/") onCommand("search");
    else return false;
    return true;
  }
}

/** Move the focus to a box; the drawing, not the browser, brings it into view. */
export function focusKey(layer: SVGGElement | null, key: string): void {
  layer?.querySelector<SVGGElement>(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}
