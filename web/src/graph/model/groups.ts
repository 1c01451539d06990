import type { Box, Port } from "./tree";
import type { Value } from "./inspection";

const MAX_PERIOD = 64; // boxes of a repeated part
const MAX_BOXES = 36; // of a scope, before it is cut into stretches

/**
 * Fold a long list of boxes (in the order in which they are computed) into groups: equal parts one after the other
 * become one box "× n", and what is still too long is cut where the fewest values cross. A stretch of that order has no
 * path out of it and back, so no group is on a cycle. `keep` are values that are read outside of the list, `inputs` those
 * that come into it.
 */
export function groupBoxes(boxes: Box[], keep: ReadonlySet<string>, inputs: readonly Port[]): Box[] {
  const repeated = foldRepeats(boxes, keep);
  const grouped = repeated.length > MAX_BOXES ? cut(repeated, keep) : repeated;
  tellShapes(grouped, new Map([...inputs.map((port) => [port.source, port.value] as const), ...boxes.flatMap((box) => [...box.values])]));
  return grouped;
}

/** Give the inputs of groups the shapes of the values that come from outside of them. */
function tellShapes(boxes: Box[], values: ReadonlyMap<string, Partial<Value> | undefined>): void {
  for (const group of boxes.filter((box) => !box.node)) {
    for (const scope of group.scopes) {
      for (const port of scope.inputs) port.value ??= values.get(port.source);
      tellShapes(scope.boxes, values);
    }
  }
}

interface Repeat {
  start: number;
  period: number;
  count: number;
}

function foldRepeats(boxes: Box[], keep: ReadonlySet<string>): Box[] {
  const best = findRepeat(boxes, keep);
  if (!best) return boxes;
  const { start, period, count } = best;
  const end = start + period * count;
  const outside = valuesRead([...boxes.slice(0, start), ...boxes.slice(end)], keep);
  const parts = Array.from({ length: count }, (_, index) => boxes.slice(start + index * period, start + (index + 1) * period));
  const inner = period === 1 ? parts.flat() : parts.map((part) => makeGroup(part, valuesRead(boxes.filter((box) => !part.includes(box)), keep)));
  const group = makeGroup(inner, outside);
  const label = period === 1 ? parts[0]![0]!.label : `${period} nodes`;
  return [
    ...foldRepeats(boxes.slice(0, start), new Set([...keep, ...valuesRead(boxes.slice(start), keep)])),
    { ...group, label: `${count} × ${label}`, count },
    ...foldRepeats(boxes.slice(end), keep),
  ];
}

/** The repetition that hides the most boxes, begun where the fewest values cross between its parts. */
function findRepeat(boxes: Box[], keep: ReadonlySet<string>): Repeat | null {
  const signatures = signaturesOf(boxes);
  const crossing = crossings(boxes, keep);
  let best: Repeat | null = null;
  let bestScore = 1; // boxes that are hidden
  for (let period = 1; period <= Math.min(MAX_PERIOD, boxes.length / 2); period++) {
    for (let start = 0; start + 2 * period <= boxes.length; start++) {
      let length = 0;
      while (start + length + period < boxes.length && signatures[start + length] === signatures[start + length + period]) length++;
      if (length < period) {
        start += length;
        continue;
      }
      const end = start + length + period;
      for (let from = start; from < Math.min(start + period, end - 2 * period + 1); from++) {
        const count = Math.floor((end - from) / period);
        const score = (count - 1) * period - crossing[from]! / 4;
        if (count >= 2 && score > bestScore) [best, bestScore] = [{ start: from, period, count }, score];
      }
      start += length;
    }
  }
  return best && (best.count > 2 || best.period > 2) ? best : null;
}

/** What makes a box equal to another: kind, sizes, and from how far back it reads. */
function signaturesOf(boxes: Box[]): string[] {
  const producer = new Map<string, number>();
  return boxes.map((box, index) => {
    const reads = box.reads.map((name) => (producer.has(name) ? index - producer.get(name)! : name));
    for (const name of box.values.keys()) producer.set(name, index);
    const shapes = [...box.values.values()].map((value) => value.shape?.join());
    return [box.label, box.parameters, ...shapes, ...reads].join("|");
  });
}

/** How many values are computed before each place and read from there on. */
function crossings(boxes: Box[], keep: ReadonlySet<string>): number[] {
  const counts = new Array<number>(boxes.length + 1).fill(0);
  const lastRead = new Map<string, number>();
  boxes.forEach((box, index) => box.reads.forEach((name) => lastRead.set(name, index)));
  boxes.forEach((box, index) => {
    for (const name of box.values.keys()) {
      const last = keep.has(name) ? boxes.length : (lastRead.get(name) ?? index);
      for (let place = index + 1; place <= last; place++) counts[place]!++;
    }
  });
  return counts;
}

/** Cut a list into stretches of about its square root, each a group. */
function cut(boxes: Box[], keep: ReadonlySet<string>): Box[] {
  const crossing = crossings(boxes, keep);
  const size = Math.max(3, Math.round(Math.sqrt(boxes.length)));
  const groups: Box[] = [];
  for (let start = 0; start < boxes.length; ) {
    let end = boxes.length;
    if (boxes.length - start > 1.5 * size) {
      const first = start + Math.ceil(size / 2);
      end = start + size;
      const cost = (place: number) => 2 * crossing[place]! + Math.abs(place - start - size) / size;
      for (let place = first; place <= Math.min(boxes.length - 1, start + 2 * size); place++) {
        if (cost(place) < cost(end)) end = place;
      }
    }
    const part = boxes.slice(start, end);
    const outside = valuesRead([...boxes.slice(0, start), ...boxes.slice(end)], keep);
    groups.push(part.length === 1 ? part[0]! : makeGroup(part, outside));
    start = end;
  }
  return groups;
}

function makeGroup(members: Box[], readOutside: ReadonlySet<string>): Box {
  const own = new Map<string, Partial<Value>>();
  for (const box of members) for (const [name, value] of box.values) own.set(name, value);
  const reads = [...new Set(members.flatMap((box) => box.reads))].filter((name) => !own.has(name));
  const values = new Map([...own].filter(([name]) => readOutside.has(name)));
  const first = members[0]!;
  const last = members.at(-1)!;
  const path = `${first.path}…${last.path}`;
  const port = (name: string): Port => ({ name, source: name, value: own.get(name) });
  const scope = { path: `${path}:`, title: "", inputs: reads.map(port), boxes: members, outputs: [...values.keys()].map(port) };
  return {
    path, paths: [], label: `${countNodes(members)} nodes`, name: rangeName(edgeName(first, 0), edgeName(last, -1)), family: "block", node: null,
    reads, values, scopes: [scope], parameters: members.reduce((sum, box) => sum + box.parameters, 0), count: 1,
  };
}

const countNodes = (boxes: Box[]): number =>
  boxes.reduce((sum, box) => sum + (box.node ? 1 : countNodes(box.scopes.flatMap((scope) => scope.boxes))), 0);

const edgeName = (box: Box, place: number): string => (box.node ? box.name : edgeName(box.scopes[0]!.boxes.at(place)!, place));

/** "layer3_1" for layer3_1_conv1 to layer3_1_relu2, else "conv1 … relu2". */
function rangeName(first: string, last: string): string {
  let length = 0;
  while (length < first.length && first[length] === last[length]) length++;
  const common = first.slice(0, length).replace(/[_\W]+\w?$/, "");
  return common.length >= 4 && /\d$/.test(common) ? common : first === last ? first : `${first} … ${last}`;
}

function valuesRead(boxes: Box[], keep: ReadonlySet<string>): Set<string> {
  const read = new Set(keep);
  for (const box of boxes) for (const name of box.reads) read.add(name);
  return read;
}
