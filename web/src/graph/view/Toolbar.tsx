import { useState } from "preact/hooks";
import { allBoxes, type Box, type Scope } from "../model/tree";

export interface ToolbarProps {
  root: Scope;
  search: { current: HTMLInputElement | null };
  table: boolean;
  onTable: (table: boolean) => void;
  onFind: (paths: string[], current: string | null) => void;
  onZoom: (factor: number) => void;
  onFit: () => void;
  onFoldAll: (fold: boolean) => void;
  onExport: () => void;
}

/** Search, zoom, folding, the list instead of the drawing, and the file. */
export function Toolbar(props: ToolbarProps) {
  const foldable = [...allBoxes(props.root)].some((box) => box.scopes.length);
  return (
    <div class="graph-toolbar" role="toolbar" aria-label="Drawing of the network">
      <Search root={props.root} input={props.search} onFind={props.onFind} />
      {!props.table && (
        <>
          <span class="graph-buttons">
            <button type="button" aria-label="Zoom out" onClick={() => props.onZoom(0.8)}>−</button>
            <button type="button" aria-label="Zoom in" onClick={() => props.onZoom(1.25)}>+</button>
            <button type="button" onClick={props.onFit}>Fit</button>
          </span>
          {foldable && (
            <span class="graph-buttons">
              <button type="button" onClick={() => props.onFoldAll(true)}>Fold all</button>
              <button type="button" onClick={() => props.onFoldAll(false)}>Unfold all</button>
            </span>
          )}
          <button type="button" onClick={props.onExport}>SVG</button>
        </>
      )}
      <button type="button" aria-pressed={props.table} onClick={() => props.onTable(!props.table)}>Table</button>
    </div>
  );
}

function Search({ root, input, onFind }: { root: Scope; input: { current: HTMLInputElement | null }; onFind: ToolbarProps["onFind"] }) {
  const [text, setText] = useState("");
  const [place, setPlace] = useState(0);
  const found = text.trim() ? matches(root, text) : [];
  const show = (index: number, all: string[]) => {
    setPlace(index);
    onFind(all, all[index] ?? null);
  };
  const onInput = (value: string) => {
    setText(value);
    show(0, value.trim() ? matches(root, value) : []);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && found.length) show((place + (event.shiftKey ? found.length - 1 : 1)) % found.length, found);
    else if (event.key === "Escape" && text) onInput("");
    else return;
    event.preventDefault();
  };
  return (
    <span class="graph-search">
      <input ref={input} type="search" aria-label="Search nodes by name or kind" placeholder="Search nodes" value={text} onInput={(event) => onInput(event.currentTarget.value)} onKeyDown={onKeyDown} />
      <span class="muted" role="status">{text.trim() && (found.length ? `${place + 1} of ${found.length}` : "none")}</span>
    </span>
  );
}

/** Nodes whose path or kind contains a text; those whose own name begins with it first. */
export function matches(root: Scope, text: string): string[] {
  const wanted = text.trim().toLowerCase();
  const nodes = [...allBoxes(root)].filter((box): box is Box & { node: object } => box.node !== null);
  const found = nodes.filter((box) => box.path.toLowerCase().includes(wanted) || box.label.toLowerCase().includes(wanted));
  const rank = (box: Box) => (box.name.toLowerCase() === wanted ? 0 : box.name.toLowerCase().startsWith(wanted) ? 1 : 2);
  return found.map((box) => [rank(box), box.path] as const).sort((a, b) => a[0] - b[0]).map(([, path]) => path);
}
