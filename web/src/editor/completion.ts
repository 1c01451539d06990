import { getLocation, type JSONPath } from "jsonc-parser";
import { tagged, type JsonSchema, type Language } from "./schemas";
import { namesInScope } from "./scope";
import { parseText, valueOf, type Node } from "./text";
import { fieldWords, kindWords, typeWords } from "./words";

/** One thing that could be written at a place. */
export interface Suggestion {
  label: string;
  insert: string;
  cursor: number; // where the cursor is after it, from the beginning of `insert`
  type: "field" | "kind" | "value" | "name";
  detail: string;
  info: string[];
  boost: number; // from -99 to 99: how far above or below others
}

export interface Suggestions {
  from: number;
  to: number;
  items: Suggestion[];
}

/** What could be written at an offset of a text, whether the text is whole JSON or not. `names`: of columns of the data. */
export function suggest(text: string, offset: number, language: Language, names: readonly string[] = []): Suggestions | null {
  const { root } = parseText(text);
  const location = getLocation(text, offset);
  const { previousNode, path, isAtPropertyKey } = location;
  const inNode = previousNode && offset >= previousNode.offset && offset <= previousNode.offset + previousNode.length;
  if (inNode && previousNode.type === "string" && offset === previousNode.offset) return null;
  const word = /[\w.+-]*$/.exec(text.slice(0, offset))![0];
  const from = inNode ? previousNode.offset : offset - word.length;
  const to = inNode ? previousNode.offset + previousNode.length : offset;
  const items = isAtPropertyKey ? fields(root, path, language, text.slice(to)) : values(root, path, language, names, text.slice(to));
  return items.length > 0 ? { from, to, items } : null;
}

function fields(root: Node | undefined, path: JSONPath, language: Language, behind: string): Suggestion[] {
  const place = path.slice(0, -1);
  const schemas = ofOneKind(language.at(root, place).filter((schema) => schema.properties));
  const present = new Set(nodeAt(root, place)?.children?.map((each) => each.children?.[0]?.value as string));
  present.delete(String(path.at(-1)));
  const names = [...new Set(schemas.flatMap((schema) => Object.keys(schema.properties!)))].filter((name) => !present.has(name));
  return names.map((name) => {
    const required = schemas.every((schema) => schema.required?.includes(name) || !schema.properties![name]);
    const of = language.at(root, [...place, name], true);
    const known = /^\s*:/.test(behind);
    const value = known ? { insert: "", cursor: 0 } : skeleton(of, required);
    const comma = !known && /^\s*"/.test(behind) ? "," : "";
    const key = JSON.stringify(name) + (known ? "" : ": ");
    return {
      label: name,
      insert: key + value.insert + comma,
      cursor: key.length + value.cursor,
      type: "field",
      detail: typeWords(of),
      info: [fieldWords(of, required)].filter(Boolean),
      boost: required ? 20 : name === "kind" || name === "op" ? 30 : 0,
    };
  });
}

/** Where the kind is not said yet and could be any of many, only the fields that all of them have are worth a suggestion. */
function ofOneKind(schemas: JsonSchema[]): JsonSchema[] {
  const kinds = schemas.filter(tagged);
  if (kinds.length < 5) return schemas;
  const [first, ...others] = kinds as [JsonSchema, ...JsonSchema[]];
  const shared = Object.keys(first.properties!).filter((name) => others.every((each) => name in each.properties!));
  return [...schemas.filter((schema) => !tagged(schema)), { ...first, properties: Object.fromEntries(shared.map((name) => [name, first.properties![name]!])) }];
}

/** What is written behind the name of a new field, so that its value can be typed at once. */
function skeleton(schemas: readonly JsonSchema[], required: boolean): { insert: string; cursor: number } {
  const example = required ? schemas.find((schema) => schema.examples)?.examples?.[0] : undefined;
  if (example !== undefined) return { insert: JSON.stringify(example), cursor: JSON.stringify(example).length };
  const types = new Set(schemas.map((schema) => schema.type).filter((type) => type !== "null"));
  const [type] = types;
  const pair = types.size !== 1 || schemas.some(tagged) ? "" : type === "object" ? "{}" : type === "array" ? "[]" : "";
  return { insert: pair, cursor: pair ? 1 : 0 };
}

function values(root: Node | undefined, path: JSONPath, language: Language, names: readonly string[], behind: string): Suggestion[] {
  const last = path.at(-1);
  const isTag = last === "kind" || last === "op";
  const schemas = isTag ? tagSchemas(root, path, language) : language.at(root, path, true);
  const comma = typeof last === "number" && /^\s*["{[\d]/.test(behind) ? "," : "";
  const found = new Map<string, Suggestion>();
  const add = (item: Suggestion) => found.has(item.label) || found.set(item.label, { ...item, insert: item.insert + comma });
  for (const schema of schemas) if (isTag || schema.properties) kindItems(schema, language, isTag).forEach(add);
  if (!isTag) {
    for (const name of namesInScope(root, path, schemas, names)) add(plain(name, "name", 5));
    for (const schema of schemas) plainValues(schema).forEach((value) => add(plain(value, "value", value === null ? -20 : value === schema.default ? 10 : 0)));
  }
  return [...found.values()];
}

/** The schemas of the object whose kind is written: of any kind. */
const tagSchemas = (root: Node | undefined, path: JSONPath, language: Language): JsonSchema[] => language.at(root, path.slice(0, -1), true);

function plain(value: unknown, type: "name" | "value", boost: number): Suggestion {
  const insert = JSON.stringify(value);
  return { label: typeof value === "string" ? value : insert, insert, cursor: insert.length, type, detail: "", info: [], boost };
}

function plainValues(schema: JsonSchema): unknown[] {
  if (schema.const !== undefined) return [schema.const];
  if (schema.enum) return schema.enum;
  if (schema.type === "boolean") return [true, false];
  if (schema.type === "null") return [null];
  const fallback = schema.default;
  const scalar = fallback !== undefined && fallback !== null && typeof fallback !== "object";
  return [...(scalar ? [fallback] : []), ...(schema.examples ?? []).filter((each) => typeof each !== "object")];
}

/** A kind: its name alone where the object is there, or where it needs no field; else an object with its required fields. */
function kindItems(schema: JsonSchema, language: Language, inside: boolean): Suggestion[] {
  const tag = tagged(schema);
  if (!tag) return [];
  const [field, name] = tag;
  const kind = language.kindOf(schema);
  const needed = (schema.required ?? []).filter((each) => each !== field);
  const base = { label: name, type: "kind" as const, detail: needed.join(", "), info: kind ? kindWords(kind) : [schema.description ?? ""].filter(Boolean), boost: 0 };
  if (inside || (kind && needed.length === 0)) return [{ ...base, insert: JSON.stringify(name), cursor: name.length + 2 }];
  const head = `{${JSON.stringify(field)}: ${JSON.stringify(name)}`;
  const first = needed[0] ? `, ${JSON.stringify(needed[0])}: ` : "";
  const rest = needed.slice(1).map((each) => `, ${JSON.stringify(each)}: `).join("");
  return [{ ...base, insert: `${head}${first}${rest}}`, cursor: (head + first).length }];
}

export function nodeAt(root: Node | undefined, path: JSONPath): Node | undefined {
  return path.reduce<Node | undefined>((node, segment) => (node?.type === "array" ? node.children?.[Number(segment)] : valueOf(node, String(segment))), root);
}
