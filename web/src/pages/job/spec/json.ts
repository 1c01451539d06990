/** A piece of a line of JSON: a key, a text, a number or word, or punctuation. */
export interface JsonPart {
  text: string;
  kind: "key" | "string" | "value" | "";
}

export interface JsonLine {
  pointer: string; // JSON Pointer of what the line belongs to
  opens: boolean; // whether it is the first line of it
  text: string;
  parts: JsonPart[];
}

const WIDTH = 100;

/** A document as lines of text, each with the pointer of its place; short lists and objects are one line. */
export function linesOfJson(document: unknown): JsonLine[] {
  const lines: JsonLine[] = [];
  write(document, "", "", [], "", lines);
  return lines;
}

function write(value: unknown, pointer: string, indent: string, before: JsonPart[], after: string, lines: JsonLine[]): void {
  const add = (parts: JsonPart[], opens: boolean) => {
    const all = [{ text: indent, kind: "" as const }, ...parts].filter(({ text }) => text);
    lines.push({ pointer, opens, parts: all, text: all.map(({ text }) => text).join("") });
  };
  const inline = partsOf(value);
  const length = [...before, ...inline].reduce((sum, { text }) => sum + text.length, indent.length);
  if (value === null || typeof value !== "object" || !Object.keys(value).length || (length <= WIDTH && depthOf(value) <= 2 && indent !== "")) {
    add([...before, ...inline, { text: after, kind: "" }], true);
    return;
  }
  const list = Array.isArray(value);
  add([...before, { text: list ? "[" : "{", kind: "" }], true);
  const entries = Object.entries(value);
  for (const [index, [key, part]] of entries.entries()) {
    const head: JsonPart[] = list ? [] : [{ text: JSON.stringify(key), kind: "key" }, { text: ": ", kind: "" }];
    const step = key.replaceAll("~", "~0").replaceAll("/", "~1");
    write(part, `${pointer}/${step}`, `${indent}  `, head, index < entries.length - 1 ? "," : "", lines);
  }
  add([{ text: `${list ? "]" : "}"}${after}`, kind: "" }], false);
}

function partsOf(value: unknown): JsonPart[] {
  if (value === null || typeof value !== "object") return [{ text: JSON.stringify(value), kind: typeof value === "string" ? "string" : "value" }];
  const list = Array.isArray(value);
  const parts: JsonPart[] = [{ text: list ? "[" : "{", kind: "" }];
  Object.entries(value).forEach(([key, part], index) => {
    if (index) parts.push({ text: ", ", kind: "" });
    if (!list) parts.push({ text: JSON.stringify(key), kind: "key" }, { text: ": ", kind: "" });
    parts.push(...partsOf(part));
  });
  parts.push({ text: list ? "]" : "}", kind: "" });
  return parts;
}

const depthOf = (value: unknown): number => (value === null || typeof value !== "object" ? 0 : 1 + Math.max(0, ...Object.values(value).map(depthOf)));
