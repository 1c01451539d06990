import type { JSONPath } from "jsonc-parser";
import type { Catalog, CatalogKind } from "../api/schema";
import { valueOf, type Node } from "./text";

/** What the editor reads of JSON Schema. */
export interface JsonSchema {
  $ref?: string;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  type?: string;
  description?: string;
  properties?: Record<string, JsonSchema>;
  patternProperties?: Record<string, JsonSchema>;
  additionalProperties?: boolean | JsonSchema;
  required?: string[];
  items?: JsonSchema;
  prefixItems?: JsonSchema[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  examples?: unknown[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minItems?: number;
  maxItems?: number;
}

// Places for a kind: the description of the API names them, the catalogue has their kinds.
const KIND_GROUPS: Record<string, readonly string[]> = {
  NodeKind: ["module", "backbone", "operation", "leaf", "control"],
  LossKind: ["loss"],
  OptimizerKind: ["optimizer"],
  ScheduleKind: ["schedule"],
  AverageKind: ["average"],
  SpaceKind: ["space"],
  WrapperKind: ["wrapper"],
  ExplorationKind: ["exploration"],
  ExperienceKind: ["experience"],
  AlgorithmKind: ["algorithm"],
  TransformKind: ["transform"],
  TrainingTransformKind: ["transform"],
};
const TAGS = ["kind", "op"]; // the fields that select a schema

/** The language of specs: which schemas are for a place in a document. */
export class Language {
  private readonly byGroup: Map<string, JsonSchema[]>;
  private readonly kinds = new Map<JsonSchema, CatalogKind>();

  /** `specSchemas`: those of the API's description, of which JobSpec is the whole document. */
  constructor(private readonly specSchemas: Record<string, JsonSchema>, private readonly catalog: Catalog) {
    this.byGroup = new Map();
    for (const kind of catalog.kinds) {
      const schema = this.resolve(kind.schema as JsonSchema);
      if (schema.type !== "object") continue;
      this.kinds.set(schema, kind);
      this.byGroup.set(kind.group, [...(this.byGroup.get(kind.group) ?? []), schema]);
    }
  }

  /** The entry of the catalogue that a schema is of. */
  kindOf(schema: JsonSchema): CatalogKind | undefined {
    return this.kinds.get(schema);
  }

  /** The entry of the catalogue of a name, of one of the schemas or else of any. */
  kindNamed(name: string, schemas: readonly JsonSchema[]): CatalogKind | undefined {
    const kinds = schemas.map((schema) => this.kinds.get(schema)).filter((each) => each !== undefined);
    return kinds.find((each) => each.kind === name) ?? this.catalog.kinds.find((each) => each.kind === name);
  }

  /**
   * The schemas that a value at a path may have, without references and unions. Objects in the text that say their kind
   * have the schema of that kind alone; with `anyKind` the last one may have any, as its kind is being written.
   */
  at(root: Node | undefined, path: JSONPath, anyKind = false): JsonSchema[] {
    let node = root;
    let schemas = this.expand({ $ref: "#/components/schemas/JobSpec" }, root);
    path.forEach((segment, index) => {
      node = node?.type === "array" ? node.children?.[Number(segment)] : valueOf(node, String(segment));
      const value = anyKind && index === path.length - 1 ? undefined : node;
      schemas = schemas.flatMap((schema) => step(schema, segment)).flatMap((schema) => this.expand(schema, value));
    });
    return [...new Set(schemas)];
  }

  private expand(schema: JsonSchema, value: Node | undefined): JsonSchema[] {
    const group = KIND_GROUPS[schema.$ref?.split("/").at(-1) ?? ""];
    if (group) return ofKind(group.flatMap((each) => this.byGroup.get(each) ?? []), value);
    const found = schema.$ref ? this.resolve(schema) : schema;
    const options = found.anyOf ?? found.oneOf;
    if (!options) return ofKind([found], value);
    return ofSaidKind(options.flatMap((option) => this.expand(withTexts(option, found), value)), value);
  }

  private resolve(schema: JsonSchema): JsonSchema {
    if (!schema.$ref) return schema;
    const name = schema.$ref.split("/").at(-1)!;
    const ofCatalog = (this.catalog.schemas as Record<string, JsonSchema>)[name];
    const ofSpec = this.specSchemas[name];
    return (schema.$ref.startsWith("#/schemas/") && name !== "Body" ? ofCatalog : ofSpec) ?? {};
  }
}

/** Of a union with a description, a default or examples each plain option has these; examples where they are of its type. */
function withTexts(option: JsonSchema, union: JsonSchema): JsonSchema {
  if (option.$ref || option.anyOf || option.oneOf) return option;
  const { description, default: fallback } = union;
  const examples = union.examples?.filter((each) => typeof each === option.type);
  return { ...(description !== undefined && { description }), ...(fallback !== undefined && { default: fallback }), ...(examples?.length && { examples }), ...option };
}

/** Those schemas that an object in the text can have, by the kind that it names. */
function ofKind(schemas: JsonSchema[], value: Node | undefined): JsonSchema[] {
  for (const tag of TAGS) {
    const given: unknown = valueOf(value, tag)?.value;
    if (typeof given === "string") return schemas.filter((schema) => !schema.properties?.[tag] || tagOf(schema, tag) === given);
  }
  return schemas;
}

/** Of a union, the schemas of the kind that an object in the text names; all where none of them has it. */
function ofSaidKind(schemas: JsonSchema[], value: Node | undefined): JsonSchema[] {
  const said: unknown = valueOf(value, "kind")?.value;
  const named = schemas.filter((schema) => said !== undefined && tagOf(schema, "kind") === said);
  return named.length > 0 ? named : schemas;
}

const tagOf = (schema: JsonSchema, tag: string): unknown => schema.properties?.[tag]?.const;

/** The kind, or the operation, that an object of the schema names: `["kind", "Linear"]`. */
export function tagged(schema: JsonSchema): [tag: string, name: string] | undefined {
  const tag = TAGS.find((each) => typeof tagOf(schema, each) === "string");
  return tag === undefined ? undefined : [tag, tagOf(schema, tag) as string];
}

function step(schema: JsonSchema, segment: string | number): JsonSchema[] {
  if (typeof segment === "number") return [schema.prefixItems?.[segment] ?? schema.items].filter((each) => each !== undefined);
  const named = schema.properties?.[segment];
  if (named) return [named];
  const matching = Object.entries(schema.patternProperties ?? {}).filter(([pattern]) => new RegExp(pattern).test(segment));
  if (matching.length > 0) return matching.map(([, each]) => each);
  return typeof schema.additionalProperties === "object" ? [schema.additionalProperties] : [];
}
