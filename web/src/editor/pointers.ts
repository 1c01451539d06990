import { propertyOf, valueOf, type Node, type Range } from "./text";

/** The segments of a JSON Pointer (RFC 6901). */
export const segmentsOf = (pointer: string): string[] =>
  pointer === "" ? [] : pointer.slice(1).split("/").map((each) => each.replaceAll("~1", "/").replaceAll("~0", "~"));

export interface Located {
  node: Node; // the deepest node of the text on the way to the place
  key: Node | undefined; // its name, if it is the value of a property
  complete: boolean; // whether it is the very place: false where the text lacks it, or has it in a shorter form
  rest: string[]; // the segments that the text lacks
}

/**
 * Find the place that a pointer means. The service speaks of a spec with its shorthands written out, the text may have
 * them: "ReLU" for {"kind": "ReLU"}, 0.2 for {"fraction": 0.2}, "accuracy" for ["accuracy"], and the rate beside its optimizer.
 */
export function locate(root: Node, pointer: string): Located {
  let node = root;
  let key: Node | undefined;
  const segments = segmentsOf(pointer);
  for (const [index, segment] of segments.entries()) {
    const next = childOf(node, segment) ?? beside(node, segments, index);
    if (!next) {
      const rest = segments.slice(index);
      return { node, key, complete: isShorthand(node, rest), rest };
    }
    key = next.parent?.type === "property" ? next.parent.children![0] : undefined;
    node = next;
  }
  return { node, key, complete: true, rest: [] };
}

function childOf(node: Node, segment: string): Node | undefined {
  if (node.type === "array") return /^\d+$/.test(segment) ? node.children?.[Number(segment)] : undefined;
  return valueOf(node, segment);
}

/** The value of a field that is written one object further out: `lr` beside its optimizer. */
function beside(node: Node, segments: readonly string[], index: number): Node | undefined {
  if (segments[index] !== "lr" || segments[index - 1] !== "optimizer") return undefined;
  const holder = node.parent?.type === "property" ? node.parent.parent : node;
  return valueOf(holder, "lr");
}

const LONG_FORMS = ["kind", "fraction", "0"]; // what a text, a number or a name alone stands for

const isShorthand = (node: Node, rest: readonly string[]): boolean =>
  rest.length === 1 && node.type !== "object" && node.type !== "array" && LONG_FORMS.includes(rest[0]!);

/** The part of the text to mark for a problem: of a field that should not be there its name, of objects their beginning. */
export function markOf(root: Node, pointer: string, code: string, text: string): Range {
  const { node, key, complete } = locate(root, pointer);
  if (key && (code === "unknown_field" || code === "wrong_place")) return span(key);
  if (node.type !== "object" && node.type !== "array") return span(node);
  const kind = complete || node.type === "array" ? undefined : propertyOf(node, "kind") ?? propertyOf(node, "id");
  if (kind) return span(kind);
  if (key && node.type === "object") return span(key);
  const lineEnd = text.indexOf("\n", node.offset);
  const end = node.offset + node.length;
  return { from: node.offset, to: lineEnd < 0 ? end : Math.min(end, lineEnd) };
}

export const span = (node: Node): Range => ({ from: node.offset, to: node.offset + node.length });
