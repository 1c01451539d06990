import type { PlacedBox } from "../layout/layout";
import { FRAME, nameLine, shorten } from "../layout/sizes";
import type { NodeProblem } from "../model/problems";
import { outline } from "./outline";
import { overlayColor } from "./overlay";

/** How a node of one revision differs from the other one. */
export type Mark = "added" | "removed" | "changed";

const SIGNS: Record<Mark, string> = { added: "+", removed: "−", changed: "≠" };

export interface BoxProps {
  placed: PlacedBox;
  current: boolean; // the one that Tab leads to
  selected: boolean;
  found: boolean;
  mark: Mark | undefined;
  problems: readonly NodeProblem[] | undefined;
  value: { share: number; text: string } | undefined;
  badge: string | undefined;
  onFocus: () => void;
  onSelect: () => void;
  onToggle: () => void;
}

/** A node, a group, or the frame around what is inside one. */
export function BoxView(props: BoxProps) {
  const { placed, current, selected, mark, problems, value, badge } = props;
  const { box, open } = placed;
  const foldable = box.scopes.length > 0;
  const classes = ["graph-box", `graph-${box.family}`, open && "open", selected && "selected", props.found && "found", mark, problems && "wrong"];
  const fill = value && !open ? { fill: overlayColor(value.share) } : undefined;
  return (
    <g
      class={classes.filter(Boolean).join(" ")} transform={`translate(${placed.x} ${placed.y})`} data-key={placed.key}
      tabIndex={current ? 0 : -1} role="button" aria-pressed={selected} aria-expanded={foldable ? open : undefined} aria-label={describe(props)}
      onFocus={props.onFocus} onClick={props.onSelect} onDblClick={foldable ? props.onToggle : undefined}
    >
      <path class="graph-shape" d={open ? frame(placed.width, placed.height) : outline(box.family, placed.width, placed.height)} style={fill} />
      <Texts placed={placed} lines={[value?.text, badge].filter((line) => line !== undefined)} />
      {placed.titles.map((title) => (
        <text key={title.text} class="graph-title" x={title.x - placed.x} y={title.y - placed.y}>{`${title.text} `}</text>
      ))}
      {foldable && <Toggle x={placed.width - 17} y={15} open={open} onToggle={props.onToggle} />}
      {(mark || problems) && <Sign text={problems ? "!" : SIGNS[mark!]} />}
    </g>
  );
}

const frame = (width: number, height: number): string => `M6 0H${width - 6}Q${width} 0 ${width} 6V${height - 6}Q${width} ${height} ${width - 6} ${height}H6Q0 ${height} 0 ${height - 6}V6Q0 0 6 0Z M0 ${FRAME.header - 4}H${width}`;

function Texts({ placed: { box, open, width }, lines }: { placed: PlacedBox; lines: string[] }) {
  if (open) {
    const label = shorten(box.label);
    return (
      <>
        <text class="graph-label" x={12} y={18}>{`${label} `}</text>
        <text class="graph-name" x={20 + 8 * label.length} y={18}>{`${nameLine(box)} `}</text>
        {lines.map((line, index) => <text key={line} class="graph-value" x={12} y={41 + 15 * index}>{`${line} `}</text>)}
      </>
    );
  }
  const middle = (box.scopes.length ? width - 18 : width) / 2;
  return (
    <>
      <text class="graph-label" x={middle} y={18} text-anchor="middle">{`${shorten(box.label)} `}</text>
      <text class="graph-name" x={width / 2} y={34} text-anchor="middle">{`${nameLine(box)} `}</text>
      {lines.map((line, index) => (
        <text key={line} class="graph-value" x={width / 2} y={49 + 15 * index} text-anchor="middle">{`${line} `}</text>
      ))}
    </>
  );
}

function Toggle({ x, y, open, onToggle }: { x: number; y: number; open: boolean; onToggle: () => void }) {
  const toggle = (event: Event) => {
    event.stopPropagation();
    onToggle();
  };
  return (
    <g class="graph-toggle" transform={`translate(${x} ${y})`} onClick={toggle} onDblClick={(event) => event.stopPropagation()}>
      <rect class="graph-hit" x={-13} y={-13} width={28} height={26} />
      <rect class="graph-toggle-shape" x={-7} y={-7} width={14} height={14} rx={3} />
      <path d={open ? "M-4 0H4" : "M-4 0H4M0 -4V4"} />
    </g>
  );
}

function Sign({ text }: { text: string }) {
  return (
    <g class="graph-sign">
      <circle r={9} />
      <text y={4.5} text-anchor="middle">{text}</text>
    </g>
  );
}

/** What a screen reader says: what is written in the box, and then what its signs mean. */
function describe({ placed: { box, titles }, mark, problems, value, badge }: BoxProps): string {
  const written = [shorten(box.label), nameLine(box), value?.text, badge, ...titles.map((title) => title.text), problems ? "!" : mark && SIGNS[mark]];
  const more = [
    box.parameters > 0 && `${box.parameters.toLocaleString("en")} parameters`,
    mark,
    ...(problems ?? []).map((problem) => `Problem: ${problem.detail}`),
  ];
  return [written.filter(Boolean).join(" "), ...more].filter(Boolean).join(", ");
}
