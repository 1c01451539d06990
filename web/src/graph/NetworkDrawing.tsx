import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { layoutTree } from "./layout/layout";
import { unfoldedAtFirst, unfoldTo, visibleFor } from "./model/folding";
import type { InspectedNetwork } from "./model/inspection";
import { problemsByPath, type NodeProblem } from "./model/problems";
import { allBoxes, buildTree, type Scope } from "./model/tree";
import { networkOfSpec } from "./model/wiring";
import type { Mark } from "./view/BoxView";
import { Canvas, focusKey } from "./view/Canvas";
import { download, exportSvg } from "./view/exportSvg";
import { Legend } from "./view/Legend";
import { Minimap } from "./view/Minimap";
import { NodeTable } from "./view/NodeTable";
import { valueOf, type Overlay } from "./view/overlay";
import { Toolbar } from "./view/Toolbar";
import { useViewport } from "./view/useViewport";
import { fitted, revealed, startView } from "./view/viewport";
import "./graph.css";

export type { Mark, Overlay };

interface Props {
  /** What the API inspected; of a network with problems the part that is right (`partial_graph`), or nothing. */
  inspection?: InspectedNetwork | null | undefined;
  /** `model` of the spec: with problems, what the inspection does not have is drawn from it. */
  model?: unknown;
  problems?: readonly NodeProblem[];
  selected?: string | null;
  onSelect?: (path: string | null) => void;
  overlay?: Overlay | undefined;
  badges?: ReadonlyMap<string, string> | undefined; // a line of text by path: what control flow does
  marks?: ReadonlyMap<string, Mark> | undefined; // by path: a difference between two revisions
  label?: string; // of the drawing, for screen readers; and its file's name
  legend?: boolean;
}

const NO_PROBLEMS: readonly NodeProblem[] = [];

/** A network as a layered drawing: blocks and control flow fold, nodes with problems are marked. */
export function NetworkDrawing({ inspection, model, problems = NO_PROBLEMS, label = "Network", ...props }: Props) {
  const network = useMemo(
    () => (model !== undefined && (problems.length > 0 || !inspection) ? networkOfSpec(model, inspection) : inspection),
    [inspection, model, problems],
  );
  const root = useMemo(() => network && buildTree(network), [network]);
  const wrong = useMemo(() => (root ? problemsByPath(root, problems) : new Map<string, NodeProblem[]>()), [root, problems]);
  if (!root || !root.boxes.length) return <p class="muted">There are no nodes to draw yet.</p>;
  return <Interactive root={root} wrong={wrong} label={label} {...props} />;
}

interface InteractiveProps extends Omit<Props, "inspection" | "model" | "problems" | "label"> {
  root: Scope;
  wrong: ReadonlyMap<string, readonly NodeProblem[]>;
  label: string;
}

function Interactive({ root, wrong, label, selected = null, onSelect, overlay, badges, marks, legend = true }: InteractiveProps) {
  const [chosen, setChosen] = useState<ReadonlyMap<string, boolean>>(new Map()); // what the reader folded or unfolded
  const [table, setTable] = useState(false);
  const [found, setFound] = useState<ReadonlySet<string>>(new Set());
  const svg = useRef<SVGSVGElement>(null);
  const layer = useRef<SVGGElement>(null);
  const search = useRef<HTMLInputElement>(null);
  const viewport = useViewport(svg, layer);
  const unfolded = useMemo(() => unfoldedSet(root, chosen, [...wrong.keys(), ...(marks?.keys() ?? [])]), [root, chosen, wrong, marks]);
  const lengths = useMemo(() => textLengths(root, overlay, badges), [root, overlay, badges]);
  const drawing = useMemo(() => layoutTree(root, { unfolded, lines: (box) => lengths.get(box.path) ?? [] }), [root, unfolded, JSON.stringify([...lengths])]);
  const anchor = useRef<{ key: string; x: number; y: number } | null>(null);
  const pending = useRef<string | null>(null);

  const placeOf = (key: string) => drawing.boxes.find((box) => box.key === key) ?? drawing.ports.find((port) => port.key === key);
  const reveal = (key: string, legible = false) => {
    const place = placeOf(key);
    if (!place) return;
    const head = "open" in place && place.open ? { ...place, width: Math.min(place.width, 240), height: 80 } : place; // of a frame
    viewport.set(revealed(viewport.view, head, viewport.screen(), legible), true);
  };
  useLayoutEffect(() => {
    const kept = anchor.current && placeOf(anchor.current.key);
    const { view } = viewport;
    if (kept) viewport.set({ ...view, x: view.x + (anchor.current!.x - kept.x) * view.scale, y: view.y + (anchor.current!.y - kept.y) * view.scale });
    else if (!viewport.touched) {
      viewport.set(startView(drawing, viewport.screen()));
      const first = [...wrong.keys()].map(placeOf).find((place) => place);
      if (first) viewport.set(revealed(viewport.view, first, viewport.screen(), false));
    }
    anchor.current = null;
    if (pending.current) reveal(pending.current, true);
    pending.current = null;
  }, [drawing, table]);

  const show = (path: string, legible = true) => {
    const next = unfoldTo(root, unfolded, path);
    if ([...next].some((each) => !unfolded.has(each))) {
      pending.current = path;
      setChosen(new Map([...chosen, ...[...next].map((each) => [each, true] as const)]));
    } else reveal(path, legible);
  };
  useEffect(() => {
    if (selected) show(selected, false);
  }, [selected, root]);
  const toggle = (path: string) => {
    const place = placeOf(path);
    anchor.current = place ? { key: path, x: place.x, y: place.y } : null;
    setChosen(new Map([...chosen, [path, !unfolded.has(path)]]));
  };
  const fit = () => viewport.set(fitted(drawing, viewport.screen()), true);
  const foldAll = (fold: boolean) => {
    setChosen(new Map([...allBoxes(root)].filter((box) => box.scopes.length).map((box) => [box.path, !fold])));
    pending.current = null;
  };
  const find = (paths: string[], current: string | null) => {
    setFound(new Set(paths.map((path) => visibleFor(root, unfolded, path) ?? path)));
    if (!current) return;
    if (!table) show(current);
    onSelect?.(current);
  };
  const save = () => download(exportSvg(svg.current!, layer.current!, drawing), `${label.replace(/[^\w.-]+/g, "-")}.svg`, "image/svg+xml");
  const shared = { selected, problems: wrong, marks, badges, overlay };
  return (
    <div class="graph">
      <Toolbar root={root} search={search} table={table} onTable={setTable} onFind={find} onZoom={viewport.zoom} onFit={fit} onFoldAll={foldAll} onExport={save} />
      <div class="graph-area" hidden={table}>
        <Canvas
          {...shared} drawing={drawing} viewport={viewport} svg={svg} layer={layer} label={`${label}: ${drawing.boxes.length} boxes. Arrow keys move along edges, Enter selects, Space folds.`} found={found}
          onSelect={(path) => onSelect?.(path)} onToggle={toggle} onReveal={reveal}
          onCommand={(command) => (command === "fit" ? fit() : search.current?.focus())}
        />
        <Minimap drawing={drawing} viewport={viewport} />
      </div>
      {table && <NodeTable {...shared} root={root} onSelect={(path) => onSelect?.(path)} />}
      {legend && !table && <Legend root={root} overlay={overlay} />}
    </div>
  );
}

/** How long the lines are that boxes have below their names, rounded up so that a drawing stays while numbers change. */
function textLengths(root: Scope, overlay: Overlay | undefined, badges: ReadonlyMap<string, string> | undefined): Map<string, number[]> {
  const lengths = new Map<string, number[]>();
  for (const box of allBoxes(root)) {
    const badge = badges?.get(box.path);
    const lines = [...(overlay && valueOf(overlay, box) ? [12] : []), ...(badge ? [8 * Math.ceil(badge.length / 8)] : [])];
    if (lines.length) lengths.set(box.path, lines);
  }
  return lengths;
}

/** What is unfolded: what the reader chose, else few boxes, and always what leads to `paths`, unless that was folded. */
function unfoldedSet(root: Scope, chosen: ReadonlyMap<string, boolean>, paths: string[]): Set<string> {
  let unfolded = unfoldedAtFirst(root);
  for (const path of paths.slice(0, 50)) unfolded = unfoldTo(root, unfolded, path);
  for (const [path, open] of chosen) {
    if (open) unfolded.add(path);
    else unfolded.delete(path);
  }
  return unfolded;
}

export { focusKey };
