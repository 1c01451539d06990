import { modify, type Edit, type JSONPath, type ModificationOptions } from "jsonc-parser";
import type { ProblemDetail } from "../api/schema";
import { locate, segmentsOf } from "./pointers";
import { propertyOf, type Node } from "./text";

/** A change of the text that follows from a hint, for one click. */
export interface Fix {
  label: string;
  edits: Edit[]; // ascending and apart, in places of the text as it is
}

interface Place {
  text: string;
  root: Node;
  path: JSONPath; // of the deepest node that the text has
  node: Node;
  last: string; // the last segment of the pointer
  holder: Node | undefined; // the object that has, or lacks, the field
  holderPath: JSONPath;
  exists: boolean;
}

type Rule = (match: RegExpMatchArray, place: Place, problem: ProblemDetail) => Fix[];

// Hints whose values the service has tried; each is an exact replacement. The first pattern that matches decides.
const RULES: readonly [pattern: RegExp, rule: Rule][] = [
  [/^did you mean (".*")\?$/, (match, place, { code }) => quotedNames(match[1]!).map((name) => (code === "unknown_field" ? rename(place, place.last, name) : replaceKind(place, name)))],
  [/^use (.+)$/, (match, place) => jsonValues(match[1]!).map((value) => replace(place, value))],
  [/^rename "([^"]+)" to "([^"]+)"$/, (match, place) => [rename(place, match[1]!, match[2]!)]],
  [/^add "([^"]+)": (.+)$/, (match, place) => jsonValues(match[2]!).slice(0, 1).map((value) => setIn(place, match[1]!, value, `add "${match[1]}": ${JSON.stringify(value)}`))],
  [/^set "?(\w+)"? to (\S+?)(, or leave it out)?$/, (match, place) => [
    ...jsonValues(match[2]!).map((value) => setIn(place, match[1]!, value, `set ${match[1]} to ${JSON.stringify(value)}`)),
    ...(match[3] ? removeNamed(place, [match[1]!]) : []),
  ]],
  [/^move it to (\/[\w/]*|the top level)$/, (match, place) => (place.exists ? move(place, match[1] === "the top level" ? "" : match[1]!) : [])],
  [/^remove it(: (?!what is in it).*)?$/, (_, place) => (place.exists ? [change(place, "remove it", [[place.path, undefined]])] : [])],
  [/^remove (\w+) or (\w+)$/, (match, place) => removeNamed(place, [match[1]!, match[2]!])],
];

/** What one click can do about a problem; nothing where its hint is advice. */
export function fixesOf(text: string, root: Node, problem: ProblemDetail): Fix[] {
  for (const [pattern, rule] of RULES) {
    const match = problem.hint.match(pattern);
    if (match) return rule(match, placeOf(text, root, problem.pointer), problem).filter((fix) => fix.edits.length > 0);
  }
  return [];
}

function placeOf(text: string, root: Node, pointer: string): Place {
  const { node, rest, complete } = locate(root, pointer);
  const [path, exists] = [pathOf(node), complete && rest.length === 0];
  const holder = exists ? holderOf(node) : node;
  return { text, root, path, node, last: segmentsOf(pointer).at(-1) ?? "", holder, holderPath: holder ? pathOf(holder) : [], exists };
}

const holderOf = (node: Node): Node | undefined => (node.parent?.type === "property" ? node.parent.parent : node.type === "object" ? node : node.parent);

/** The path of a node from the root. */
export function pathOf(node: Node): JSONPath {
  const { parent } = node;
  if (!parent) return [];
  if (parent.type === "property") return [...pathOf(parent.parent!), parent.children![0]!.value as string];
  return [...pathOf(parent), parent.children!.indexOf(node)];
}

const quotedNames = (text: string): string[] => [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((match) => JSON.parse(match[0]) as string);

/** The values of "A or B", if all of them are JSON. */
function jsonValues(text: string): unknown[] {
  for (const parts of [[text], text.split(" or ")]) {
    try {
      return parts.map((part) => JSON.parse(part) as unknown);
    } catch {
      continue;
    }
  }
  return [];
}

function change({ text, node }: Place, label: string, values: [JSONPath, unknown][]): Fix {
  const line = /\n([ \t]+)\S/.exec(text);
  const options: ModificationOptions = { formattingOptions: { insertSpaces: true, tabSize: line?.[1]?.length ?? 2, eol: "\n" } };
  if (!text.slice(node.offset, node.offset + node.length).includes("\n")) delete options.formattingOptions; // stays on its line
  const edits = values.flatMap(([path, value]) => modify(text, path, value, options)).sort((a, b) => a.offset - b.offset);
  return { label, edits };
}

const replace = (place: Place, value: unknown): Fix => change(place, `use ${shortened(value)}`, [[place.path, value]]);

/** Replace a text, or the `kind` of an object. */
function replaceKind(place: Place, name: string): Fix {
  const inside = propertyOf(place.node, "kind") ? [...place.path, "kind"] : place.path;
  return change(place, `use "${name}"`, [[inside, name]]);
}

function rename(place: Place, from: string, to: string): Fix {
  const key = propertyOf(place.holder, from)?.children?.[0];
  const edits = key && !propertyOf(place.holder, to) ? [{ offset: key.offset, length: key.length, content: JSON.stringify(to) }] : [];
  return { label: `rename to "${to}"`, edits };
}

function setIn(place: Place, name: string, value: unknown, label: string): Fix {
  return place.holder?.type === "object" ? change({ ...place, node: place.holder }, label, [[[...place.holderPath, name], value]]) : { label, edits: [] };
}

function removeNamed(place: Place, names: readonly string[]): Fix[] {
  const within = place.exists && place.node.type === "object" ? place.node : place.holder;
  return names.filter((name) => propertyOf(within, name)).map((name) => change(place, `remove ${name}`, [[[...pathOf(within!), name], undefined]]));
}

/** Move a field to another object; into one that the text does not have yet, too. */
function move(place: Place, pointer: string): Fix[] {
  const target = [...segmentsOf(pointer), place.last];
  const value = JSON.parse(place.text.slice(place.node.offset, place.node.offset + place.node.length)) as unknown;
  return [change(place, `move it to ${pointer || "the top level"}`, [[place.path, undefined], [target, value]])];
}

function shortened(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
