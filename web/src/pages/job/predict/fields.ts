import type { Column, ColumnRole, DataSchema } from "../../../api/schema";
import { isRecord, shapeOf } from "../../../ui/data";

/** How a value is entered: as a line, a choice, a longer text, JSON, a picture (a file, or JSON), or some numbers. */
export type FieldKind = "number" | "vector" | "choice" | "line" | "text" | "words" | "json" | "picture";

/** A column that the network reads. */
export interface InputField {
  name: string;
  type: string;
  kind: FieldKind;
  labels: string[]; // of a choice
  format: string | null; // of numbers and dates in text: sent as they are written
  hint: string;
  size: number; // numbers of a vector
}

const MAX_CHOICES = 100;
const MAX_VECTOR = 40; // numbers that have a field each
const KINDS: Record<string, FieldKind> = {
  number: "number", datetime: "line", category: "choice", text: "text", words: "words", series: "json", tensor: "json", tree: "json", image: "picture",
};

/** The inputs of a network by name, as its inspection has them: shapes begin with the number of examples, "N". */
export type NetworkInputs = Record<string, { shape: (string | number)[] }>;

/**
 * The columns that a job reads, in the order of the data; several features may read one. An autoencoder reads its target.
 * `generated` holds the texts that its network goes on with, which are learned as well.
 * Without a schema, as of built-in data, the shape of a tensor is that of the input that it becomes.
 */
export function inputFields(roles: readonly ColumnRole[], schema: DataSchema | null, inputs: NetworkInputs = {}, generated?: string): InputField[] {
  const isRead = (role: ColumnRole) => role.role === "input" || role.column === generated || (role.role === "target" && (role.feature ?? "") in inputs);
  const read = roles.filter(isRead);
  return [...new Set(read.map((role) => role.column))].map((name) => {
    const role = read.find((each) => each.column === name)!;
    if (name === generated) return { name, type: role.type, kind: role.type === "words" ? "words" : "text", labels: [], format: null, hint: "the beginning of the text; empty: from nothing", size: 0 };
    return fieldOf(name, role.type, schema?.columns.find((each) => each.name === name) ?? columnOf(role, inputs));
  });
}

/** What is asked of a network that acts in an environment: an observation, by the shape that the network reads. */
export function observationField(inputs: NetworkInputs): InputField {
  const shape = (inputs["observation"]?.shape ?? []).slice(1).map(Number);
  const size = shape.length < 2 ? shape[0] ?? 1 : 0;
  const field = { ...fieldOf("observation", "tensor", { shape, labels: null, format: null, unit: null }), size };
  if (shape.length === 0) return { ...field, kind: "number", hint: "the number of the observation, from 0 on" };
  return size > 0 && size <= MAX_VECTOR ? { ...field, kind: "vector", hint: "" } : { ...field, kind: "json" };
}

/** The numbers of a vector as they were typed, from the text of its field. */
export function vectorOf(text: string, size: number): string[] {
  const typed: unknown = text === "" ? [] : JSON.parse(text);
  return Array.from({ length: size }, (_, index) => String((typed as unknown[])[index] ?? ""));
}

type Known = Pick<Column, "shape" | "labels" | "format" | "unit">;

function columnOf({ type, kind, feature }: ColumnRole, inputs: NetworkInputs): Known | undefined {
  const shape = inputs[feature ?? ""]?.shape.slice(1);
  return type === "tensor" && kind === "tensor" && shape?.every((size) => typeof size === "number") ? { shape: shape as number[] } : undefined;
}

function fieldOf(name: string, type: string, column: Known | undefined): InputField {
  const labels = column?.labels ?? [];
  const shape = column?.shape ?? [];
  let kind = KINDS[type] ?? "json";
  if (kind === "choice" && (labels.length === 0 || labels.length > MAX_CHOICES)) kind = "line";
  if (kind === "json" && type === "tensor" && shape.length === 3 && [1, 3, 4].includes(shape[0]!)) kind = "picture";
  return { name, type, kind, labels: kind === "choice" ? labels : [], format: column?.format ?? null, hint: hintOf(type, column, kind), size: 0 };
}

function hintOf(type: string, column: Known | undefined, kind: FieldKind): string {
  const shape = column?.shape?.length ? `[${column.shape.join(", ")}]` : "";
  const written = column?.format ? `written as ${column.format}${column.unit ? `, in ${column.unit}` : ""}` : "";
  const hints: Record<string, string> = {
    number: written || "empty: missing",
    datetime: written || "such as 2026-11-29T12:00:00; empty: missing",
    category: "",
    text: "",
    words: "between blanks, or a JSON list",
    series: `JSON: a list of ${shape ? `lists ${shape}` : "numbers"}, one for each time step`,
    tree: '{"label": "a", "children": [trees]}',
    tensor: `${shape && kind === "picture" ? "a picture of this size, or " : ""}JSON: nested lists of the shape ${shape || "of the data"}, with the numbers that the data holds`,
    image: "a picture as it is; the job's transforms do the rest",
  };
  return hints[type] ?? "";
}

/** A text that does not hold a value of its field. */
export class FieldError extends Error {
  constructor(readonly field: string, message: string) {
    super(message);
  }
}

/** The value that is sent for what was entered. Throws `FieldError` for a text that is no JSON. */
export function valueOf(field: InputField, text: string): unknown {
  const { kind, name, format } = field;
  if (kind === "vector") return vectorOf(text, field.size).map((each) => (each.trim() === "" ? null : numberOf(each)));
  if (text.trim() === "") return kind === "text" ? "" : kind === "words" ? [] : null;
  if (kind === "number") return format ? text : /^(true|false)$/i.test(text.trim()) ? text.trim().toLowerCase() === "true" : numberOf(text);
  if (kind === "words") return text.trim().startsWith("[") ? json(name, text) : text.trim().split(/\s+/);
  if (kind === "json") return json(name, text);
  if (kind === "picture" && /^\s*[[{]/.test(text)) return json(name, text);
  return text;
}

const numberOf = (text: string): number | string => (Number.isNaN(Number(text)) ? text : Number(text)); // the service says what is wrong

function json(field: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FieldError(field, `this is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const PREVIEW_CHARACTERS = 200; // what the API shows of a text
const PREVIEW_VALUES = 64; // and of a list

/** The text of a field that holds a value of a shown row, and whether it is only the beginning of it; null: not shown. */
export function textOf(field: InputField, value: unknown): { text: string; cut: boolean } | null {
  if (value === null || value === undefined) return { text: "", cut: false };
  if (isRecord(value) && !("label" in value)) return null; // a picture, of which only a small one is there
  if (field.type === "tree") return null; // shown as an s-expression, which a request does not take
  if (field.kind === "vector") return Array.isArray(value) ? { text: JSON.stringify(value.map((each) => String(each ?? ""))), cut: false } : null;
  if (typeof value === "string") return { text: value, cut: value.length >= PREVIEW_CHARACTERS };
  if (field.kind === "words" && Array.isArray(value) && value.every((each) => typeof each === "string" && !/\s/.test(each))) {
    return { text: value.join(" "), cut: value.length >= PREVIEW_VALUES };
  }
  const flat = field.kind === "picture" && shapeOf(value).length !== 3; // the first numbers alone
  if (flat) return null;
  return { text: JSON.stringify(value), cut: Array.isArray(value) && field.kind === "json" && value.length >= PREVIEW_VALUES };
}

/** The problems of a request with one row by field: "/rows/0/a~1b" is of the column "a/b", at any place inside. */
export function problemsByField(errors: readonly { pointer: string; detail: string; hint?: string }[], names: readonly string[]): { fields: Record<string, string>; others: string[] } {
  const fields: Record<string, string> = {};
  const others: string[] = [];
  for (const { pointer, detail, hint } of errors) {
    const name = unescapePointer(/^\/rows\/0\/([^/]*)/.exec(pointer)?.[1] ?? "");
    const text = [detail, hint].filter(Boolean).join(" – ");
    if (names.includes(name)) fields[name] = fields[name] ? `${fields[name]}; ${text}` : text;
    else others.push(pointer ? `${pointer}: ${text}` : text);
  }
  return { fields, others };
}

const unescapePointer = (part: string): string => part.replaceAll("~1", "/").replaceAll("~0", "~");
