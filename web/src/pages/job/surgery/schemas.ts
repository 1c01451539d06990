import specSchemas from "virtual:job-spec";
import type { Catalog, CatalogKind } from "../../../api/schema";
import type { JsonSchema } from "../../../editor/schemas";

export type Json = Record<string, unknown>;

/** A field of an operation or a kind, as a form shows it. */
export interface FormField {
  name: string;
  schema: JsonSchema; // without references and without null
  required: boolean;
  type: FieldType;
}

/** What a field is asked with: "kind" is an object with a kind of one of `GROUPS`, "json" anything else. */
export type FieldType = "number" | "integer" | "boolean" | "choice" | "text" | "node" | "nodes" | "pair" | "kind" | "json";

const NODE_GROUPS = ["module", "operation", "control", "leaf", "backbone"] as const;
const KINDS: Record<string, readonly string[]> = { NodeKind: NODE_GROUPS, OptimizerKind: ["optimizer"], ScheduleKind: ["schedule"], AverageKind: ["average"], LossKind: ["loss"] };
const NODE_FIELDS: Record<string, FieldType> = { node: "node", after: "node", before: "node", nodes: "nodes", between: "pair" };
const REF = "#/components/schemas/";

/** The operations of edits, from the API's description; kinds, from the catalogue. */
export class OperationSchemas {
  readonly operations: readonly { op: string; description: string }[];
  private readonly byOp: Map<string, JsonSchema>;

  constructor(private readonly catalog: Catalog, private readonly schemas: Record<string, JsonSchema> = specSchemas) {
    const union = this.resolve({ $ref: `${REF}Operation` });
    const all = (union.oneOf ?? union.anyOf ?? []).map((each) => this.resolve(each));
    this.byOp = new Map(all.map((schema) => [String(schema.properties?.["op"]?.const), schema]));
    this.operations = [...this.byOp].map(([op, schema]) => ({ op, description: schema.description ?? "" }));
  }

  /** The fields of an operation, without `op`; required ones first. */
  fieldsOf(op: string): FormField[] {
    const schema = this.byOp.get(op);
    if (!schema) return [];
    return this.fields(schema, ["op"]).map((field) => {
      if (op === "swap_optimizer" && field.name === "to") return { ...field, type: "kind", schema: { $ref: `${REF}OptimizerKind` } };
      const isKind = field.schema.$ref === `${REF}NodeKind`;
      return isKind ? field : { ...field, type: NODE_FIELDS[field.name] ?? field.type };
    });
  }

  /** The fields of a kind, without what a form of the edit says itself. */
  fieldsOfKind(kind: string, groups: readonly string[]): FormField[] {
    const entry = this.kindsOf(groups).find((each) => each.kind === kind);
    return entry ? this.fields(this.resolve(entry.schema as JsonSchema), ["kind"]) : [];
  }

  kindsOf(groups: readonly string[]): CatalogKind[] {
    return this.catalog.kinds.filter((each) => groups.includes(each.group));
  }

  /** The groups of kinds that a field of the type "kind" takes. */
  groupsOf(schema: JsonSchema): readonly string[] {
    return KINDS[(schema.$ref ?? "").slice(REF.length)] ?? NODE_GROUPS;
  }

  /** The field of the spec at a path such as "training.optimizer.lr", where `spec` says of which kinds its objects are. */
  fieldAt(path: string, spec: unknown): FormField | undefined {
    let schema: JsonSchema | undefined = { $ref: `${REF}JobSpec` };
    let value: unknown = spec;
    for (const name of path.split(".")) {
      value = typeof value === "object" && value !== null ? (value as Json)[name] : undefined;
      schema = schema && this.property(schema, name, parentOf(spec, path, name));
    }
    if (!schema) return undefined;
    const name = path.split(".").at(-1)!;
    return this.field(name, schema, false);
  }

  private property(schema: JsonSchema, name: string, owner: unknown): JsonSchema | undefined {
    const plain = this.plain(schema);
    const groups = KINDS[(plain.$ref ?? "").slice(REF.length)];
    if (groups) {
      const kind = typeof owner === "string" ? owner : (owner as { kind?: unknown } | undefined)?.kind;
      const entry = this.kindsOf(groups).find((each) => each.kind === kind);
      return entry && this.resolve(entry.schema as JsonSchema).properties?.[name];
    }
    return this.resolve(plain).properties?.[name];
  }

  private fields(schema: JsonSchema, without: readonly string[]): FormField[] {
    const required = new Set(schema.required ?? []);
    const all = Object.entries(schema.properties ?? {}).filter(([name]) => !without.includes(name));
    const fields = all.map(([name, each]) => this.field(name, each, required.has(name)));
    return [...fields.filter((field) => field.required), ...fields.filter((field) => !field.required)];
  }

  private field(name: string, schema: JsonSchema, required: boolean): FormField {
    const plain = { ...withoutNull(schema), ...(schema.description && { description: schema.description }), ...(schema.default !== undefined && { default: schema.default }) };
    return { name, schema: plain, required, type: this.typeOf(plain) };
  }

  private typeOf(schema: JsonSchema): FieldType {
    if (schema.$ref && KINDS[schema.$ref.slice(REF.length)]) return "kind";
    const plain = schema.$ref ? this.resolve(schema) : schema;
    if (plain.enum) return plain.enum.every((each) => typeof each === "string") ? "choice" : "json";
    if (plain.type === "integer" || plain.type === "number" || plain.type === "boolean") return plain.type;
    return plain.type === "string" ? "text" : "json";
  }

  private plain(schema: JsonSchema): JsonSchema {
    const inner = withoutNull(schema);
    return inner.$ref && !KINDS[inner.$ref.slice(REF.length)] ? withoutNull(this.resolve(inner)) : inner;
  }

  private resolve(schema: JsonSchema): JsonSchema {
    if (!schema.$ref) return schema;
    const name = schema.$ref.split("/").at(-1)!;
    return (schema.$ref.startsWith("#/schemas/") ? (this.catalog.schemas as Record<string, JsonSchema>)[name] : this.schemas[name]) ?? {};
  }
}

/** The one option of a union with null; a union of several is left as it is. */
function withoutNull(schema: JsonSchema): JsonSchema {
  const options = (schema.anyOf ?? schema.oneOf)?.filter((each) => each.type !== "null");
  return options?.length === 1 ? options[0]! : schema;
}

/** The object of a spec in which a segment of a path stands. */
function parentOf(spec: unknown, path: string, segment: string): unknown {
  const names = path.split(".");
  return names.slice(0, names.indexOf(segment)).reduce<unknown>((value, name) => (typeof value === "object" && value !== null ? (value as Json)[name] : undefined), spec);
}

/** Paths that `set` often takes: numbers of the optimizer and parts of the plan, and the settings of a node. */
export function settablePaths(schemas: OperationSchemas, spec: unknown, node: { path: string; settings: [string, unknown][] } | null): string[] {
  const training = (spec as { training?: { optimizer?: unknown } } | null)?.training ?? {};
  const optimizer = typeof training.optimizer === "string" ? training.optimizer : (training.optimizer as { kind?: string } | undefined)?.kind;
  const numbers = optimizer ? schemas.fieldsOfKind(optimizer, ["optimizer"]).filter((field) => field.type === "number").map((field) => `training.optimizer.${field.name}`) : [];
  const plan = ["schedule", "warmup", "epochs", "steps", "batch_size", "average", "clip_norm", "precision", "on_nan", "evaluate", "early_stop", "checkpoint"];
  const own = node?.settings.map(([name]) => `model.${node.path}.${name}`) ?? [];
  return [...own, ...numbers, ...plan.map((name) => `training.${name}`)];
}
