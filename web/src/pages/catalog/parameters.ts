import type { CatalogKind, JsonObject } from "../../api/schema";

export interface Parameter {
  name: string;
  type: string;
  initial: string; // its default; "" if it has none
  required: boolean;
  description: string;
}

type Schema = Record<string, any>; // a JSON Schema

const WIRING = new Set(["kind", "id", "inputs"]); // of every node

/** The parameters of a kind, from its JSON Schema; those of every node are left out. */
export function parametersOf(kind: CatalogKind, schemas: JsonObject): Parameter[] {
  const schema = resolve(kind.schema as Schema, schemas);
  const required: string[] = schema.required ?? [];
  return Object.entries((schema.properties ?? {}) as Record<string, Schema>)
    .filter(([name]) => !WIRING.has(name))
    .map(([name, field]) => ({
      name,
      type: typeOf(field),
      initial: "default" in field ? JSON.stringify(field.default) : "",
      required: required.includes(name),
      description: field.description ?? "",
    }));
}

function resolve(schema: Schema, schemas: JsonObject): Schema {
  const name = typeof schema.$ref === "string" ? schema.$ref.split("/").at(-1)! : null;
  return name ? ((schemas[name] as Schema | undefined) ?? {}) : schema;
}

/** A JSON Schema in words: "integer ≥ 1, or list of 2". */
export function typeOf(schema: Schema): string {
  if (schema.$ref) return String(schema.$ref).split("/").at(-1)!;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((each: unknown) => JSON.stringify(each)).join(" | ");
  const choices: Schema[] | undefined = schema.anyOf ?? schema.oneOf;
  if (choices) return [...new Set(choices.map(typeOf))].join(", or ");
  if (schema.type === "array") return listType(schema);
  return `${schema.type ?? "anything"}${boundsOf(schema)}`;
}

function listType(schema: Schema): string {
  const parts: Schema[] = schema.prefixItems ?? [];
  if (parts.length > 0) return `list of ${parts.length} × ${typeOf(parts[0]!)}`;
  return schema.items ? `list of ${typeOf(schema.items)}` : "list";
}

function boundsOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Schema): string {
  const bounds = [
    minimum !== undefined && `≥ ${minimum}`,
    exclusiveMinimum !== undefined && `> ${exclusiveMinimum}`,
    maximum !== undefined && maximum < 2 ** 31 - 1 && `≤ ${maximum}`,
    exclusiveMaximum !== undefined && `< ${exclusiveMaximum}`,
  ].filter(Boolean);
  return bounds.length ? ` ${bounds.join(", ")}` : "";
}

/** Whether a kind has every word of a search, in its name or its sentence; names that begin with it come first. */
export function searchKinds(kinds: readonly CatalogKind[], search: string, group: string): CatalogKind[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const first = words[0] ?? "";
  return kinds
    .filter((kind) => !group || kind.group === group)
    .filter((kind) => words.every((word) => `${kind.kind} ${kind.sentence}`.toLowerCase().includes(word)))
    .sort((a, b) => rank(a, first) - rank(b, first));
}

function rank({ kind }: CatalogKind, word: string): number {
  const name = kind.toLowerCase();
  return name === word ? 0 : name.startsWith(word) ? 1 : name.includes(word) ? 2 : 3;
}
