import { Lazy } from "../../ui/Lazy";
import { typeOf } from "../catalog/parameters";
import { lastPart, type Schema } from "./description";

interface Props {
  schema: Schema;
  schemas: Record<string, Schema>;
  depth?: number;
}

const MAX_DEPTH = 6;

/** A schema as a table of its fields; those of nested objects fold out. */
export function SchemaView({ schema, schemas, depth = 0 }: Props) {
  const found = resolve(schema, schemas);
  const fields = Object.entries((found.properties ?? {}) as Record<string, Schema>);
  if (fields.length === 0) return <p class="muted">{found.description ?? typeOf(found)}</p>;
  const required: string[] = found.required ?? [];
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={`Fields of ${schema.$ref ? lastPart(schema.$ref) : "the object"}`}>
      <table class="fields">
        <tbody>
          {fields.map(([name, field]) => (
            <tr key={name}>
              <th scope="row"><code>{name}</code>{required.includes(name) && <span class="muted"> required</span>}</th>
              <td>
                {typeOf(field)}{field.default !== undefined && <> = <code>{JSON.stringify(field.default)}</code></>}
                {field.description && <div class="muted">{field.description}</div>}
                <Nested field={field} schemas={schemas} depth={depth} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function resolve(schema: Schema, schemas: Record<string, Schema>): Schema {
  return schema.$ref ? (schemas[lastPart(schema.$ref)] ?? {}) : schema;
}

/** The objects that a field refers to, closed until they are opened: schemas may hold themselves. */
function Nested({ field, schemas, depth }: { field: Schema; schemas: Record<string, Schema>; depth: number }) {
  if (depth >= MAX_DEPTH) return null;
  const parts: Schema[] = [field, field.items, field.additionalProperties, ...(field.anyOf ?? []), ...(field.oneOf ?? [])].filter(Boolean);
  const names = [...new Set(parts.filter((each) => each.$ref).map((each) => String(each.$ref)))];
  return <>{names.filter((name) => resolve({ $ref: name }, schemas).properties).map((name) => <Fold key={name} name={name} schemas={schemas} depth={depth} />)}</>;
}

function Fold({ name, schemas, depth }: { name: string; schemas: Record<string, Schema>; depth: number }) {
  return (
    <Lazy summary={lastPart(name)}>{() => <SchemaView schema={{ $ref: name }} schemas={schemas} depth={depth + 1} />}</Lazy>
  );
}
