import type { ComponentChildren } from "preact";
import { formatShape } from "../model/inspection";
import type { NodeProblem } from "../model/problems";
import type { Box, Scope } from "../model/tree";
import type { Mark } from "./BoxView";
import { scaleOf, valueOf, type Overlay } from "./overlay";
import { formatCount } from "./text";

interface Props {
  root: Scope;
  selected: string | null;
  onSelect: (path: string) => void;
  problems: ReadonlyMap<string, readonly NodeProblem[]>;
  marks: ReadonlyMap<string, Mark> | undefined;
  badges: ReadonlyMap<string, string> | undefined;
  overlay: Overlay | undefined;
}

/** The network as a table, with all that the drawing shows. */
export function NodeTable(props: Props) {
  const { root, overlay } = props;
  return (
    <div class="scroll graph-table" tabIndex={0} role="region" aria-label="Nodes of the network">
      <table>
        <thead>
          <tr>
            <th scope="col">Node</th>
            <th scope="col">Kind</th>
            <th scope="col">Reads</th>
            <th scope="col">Output</th>
            <th scope="col" class="number">Parameters</th>
            <th scope="col" class="number">Operations</th>
            {overlay && <th scope="col" class="number">{overlay.title}</th>}
          </tr>
        </thead>
        <tbody>{rows(root, 0, props)}</tbody>
      </table>
    </div>
  );
}

function rows(scope: Scope, depth: number, props: Props): ComponentChildren[] {
  return scope.boxes.flatMap((box) => {
    const inner = box.scopes.flatMap((each) => [
      each.title && <tr key={`${each.path} title`}><th scope="row" colSpan={props.overlay ? 7 : 6} style={{ paddingLeft: `${indent(depth + 1)}px` }}>{each.title}</th></tr>,
      ...rows(each, box.node ? depth + 1 : depth, props),
    ]);
    return box.node ? [<Row key={box.path} box={box} depth={depth} {...props} />, ...inner] : inner;
  });
}

const indent = (depth: number) => 10 + 18 * depth;

function Row({ box, depth, selected, onSelect, problems, marks, badges, overlay }: Props & { box: Box; depth: number }) {
  const value = overlay && valueOf(overlay, box)?.value;
  const notes = [marks?.get(box.path), badges?.get(box.path), ...(problems.get(box.path) ?? []).map((problem) => problem.detail)].filter(Boolean);
  return (
    <tr class={problems.has(box.path) ? "wrong" : ""}>
      <th scope="row" style={{ paddingLeft: `${indent(depth)}px` }}>
        <button type="button" class="plain" aria-pressed={box.path === selected} onClick={() => onSelect(box.path)}>{box.name}</button>
      </th>
      <td>{box.label}{notes.length > 0 && <div class={problems.has(box.path) ? "error" : "hint"}>{notes.join(", ")}</div>}</td>
      <td>{box.reads.join(", ") || "–"}</td>
      <td>{[...box.values].map(([name, each]) => <div key={name}>{name.includes(".") ? `${name.split(".")[1]}: ` : ""}{formatShape(each)}</div>)}</td>
      <td class="number">{box.parameters ? box.parameters.toLocaleString("en") : "–"}</td>
      <td class="number">{box.node?.flops === undefined ? "–" : formatCount(box.node.flops)}</td>
      {overlay && <td class="number">{value === undefined ? "–" : scaleOf(overlay).format(value)}</td>}
    </tr>
  );
}
