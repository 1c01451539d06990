export type Schema = Record<string, any>; // a JSON Schema

export interface Parameter {
  name: string;
  in: "path" | "query" | "header" | "cookie";
  required: boolean;
  description?: string;
  schema: Schema;
}

export interface Operation {
  id: string;
  method: string;
  path: string;
  tag: string;
  summary: string;
  description: string;
  parameters: Parameter[];
  bodies: Record<string, Schema>; // media type → schema
  bodyRequired: boolean;
  responses: { status: string; description: string; schema: Schema | null }[];
  guarded: boolean;
}

/** The parts of an OpenAPI description that this page reads. */
export interface Description {
  info: { version: string };
  paths: Record<string, Record<string, any>>;
  components: { schemas: Record<string, Schema>; responses: Record<string, any> };
}

const METHODS = ["get", "post", "put", "patch", "delete"]; // HEAD is GET without a body

/** Every operation of a description, in its order. */
export function operationsOf(description: Description): Operation[] {
  return Object.entries(description.paths).flatMap(([path, methods]) =>
    METHODS.filter((method) => methods[method]).map((method) => operationOf(description, path, method, methods[method])),
  );
}

function operationOf(description: Description, path: string, method: string, found: Record<string, any>): Operation {
  const content: Record<string, { schema?: Schema }> = found.requestBody?.content ?? {};
  return {
    id: found.operationId,
    method: method.toUpperCase(),
    path,
    tag: found.tags?.[0] ?? "other",
    summary: found.summary ?? "",
    description: found.description ?? "",
    parameters: found.parameters ?? [],
    bodies: Object.fromEntries(Object.entries(content).map(([type, each]) => [type, each.schema ?? {}])),
    bodyRequired: found.requestBody?.required ?? false,
    responses: Object.entries((found.responses ?? {}) as Record<string, any>).map(([status, declared]) => {
      const response = declared.$ref ? description.components.responses[lastPart(declared.$ref)] : declared;
      const kinds = Object.values((response?.content ?? {}) as Record<string, { schema?: Schema }>);
      return { status, description: response?.description ?? "", schema: kinds[0]?.schema ?? null };
    }),
    guarded: found.security !== undefined,
  };
}

export const lastPart = (reference: string): string => reference.split("/").at(-1)!;

/** The address of a request: placeholders of the path filled in, and the query that is not empty. */
export function addressOf(operation: Operation, values: Record<string, string>): string {
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ""));
  const query = new URLSearchParams();
  for (const { name, in: place } of operation.parameters) {
    const value = values[name]?.trim();
    if (place === "query" && value) query.append(name, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/** What a body of a schema may look like: its required fields, and those with a default. */
export function exampleOf(schema: Schema, schemas: Record<string, Schema>, depth = 0): unknown {
  if (schema.$ref) return depth > 4 ? {} : exampleOf(schemas[lastPart(schema.$ref)] ?? {}, schemas, depth + 1);
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  const choices: Schema[] | undefined = schema.anyOf ?? schema.oneOf;
  if (choices?.length) return exampleOf(choices[0]!, schemas, depth + 1);
  if (schema.type === "object") {
    const required: string[] = schema.required ?? [];
    return Object.fromEntries(required.map((name) => [name, exampleOf(schema.properties?.[name] ?? {}, schemas, depth + 1)]));
  }
  return { string: "", integer: 0, number: 0, boolean: false, array: [], null: null }[String(schema.type)] ?? {};
}
