import type { CatalogKind } from "../api/schema";
import type { JsonSchema } from "./schemas";

/** What a value of one of the schemas is, in a few words: `int ≥ 1`, `"mean" or "sum"`. */
export function typeWords(schemas: readonly JsonSchema[]): string {
  const words = schemas.map(oneType).filter(Boolean);
  return [...new Set(words)].slice(0, 6).join(" or ");
}

function oneType(schema: JsonSchema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.length > 8 ? "a name" : schema.enum.map((each) => JSON.stringify(each)).join(" or ");
  if (schema.properties?.["kind"]?.const !== undefined) return "a kind";
  switch (schema.type) {
    case "integer":
      return `int${bounds(schema)}`;
    case "number":
      return `number${bounds(schema)}`;
    case "string":
      return "text";
    case "boolean":
      return "true or false";
    case "array":
      return "list";
    default:
      return schema.type ?? "";
  }
}

const HUGE = 1e9; // bounds beyond are those of the machine, not of the meaning

function bounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string {
  const signs: [sign: string, bound: number | undefined][] = [["≥", minimum], [">", exclusiveMinimum], ["≤", maximum], ["<", exclusiveMaximum]];
  return signs.filter(([, bound]) => bound !== undefined && Math.abs(bound) < HUGE).map(([sign, bound]) => ` ${sign} ${bound}`).join("");
}

/** The default of a field: the first that its schemas have. */
export function defaultOf(schemas: readonly JsonSchema[]): unknown {
  return schemas.find((schema) => schema.default !== undefined)?.default;
}

/** What a field is, in a sentence or two. */
export function fieldWords(schemas: readonly JsonSchema[], required: boolean): string {
  const description = schemas.find((schema) => schema.description && !schema.properties)?.description ?? "";
  const fallback = defaultOf(schemas);
  const about = required ? "Required." : fallback === undefined || fallback === null ? "" : `Default: ${JSON.stringify(fallback)}.`;
  return [description, about].filter(Boolean).join(" ");
}

/** What a kind does, with its inputs and shapes. */
export function kindWords({ sentence, shapes, least_inputs: least, most_inputs: most }: CatalogKind): string[] {
  const inputs = least === undefined || least === null ? "" : least === most ? `${least} ${least === 1 ? "input" : "inputs"}` : `${least} to ${most} inputs`;
  return [sentence, [shapes, inputs].filter(Boolean).join("; ")].filter(Boolean);
}
