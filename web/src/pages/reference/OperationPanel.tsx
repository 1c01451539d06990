import type { Description, Operation, Schema } from "./description";
import { lastPart } from "./description";
import { RequestForm } from "./RequestForm";
import { SchemaView } from "./SchemaView";

/** One route: what it takes, what it answers, and a form that sends it. */
export function OperationPanel({ of: operation, description }: { of: Operation; description: Description }) {
  const schemas = description.components.schemas;
  const bodies = Object.entries(operation.bodies);
  return (
    <article aria-label={`${operation.method} ${operation.path}`}>
      <h2 class="operation"><span class={`method ${operation.method.toLowerCase()}`}>{operation.method}</span> {operation.path}</h2>
      <p class="data-text">{operation.description}</p>
      {!operation.guarded && <p class="notice">It needs no key.</p>}
      <RequestForm of={operation} schemas={schemas} />
      {bodies[0] && (
        <>
          <h3>Body</h3>
          <p class="muted">{bodies.map(([type]) => type).join(", ")}{!operation.bodyRequired && "; may be left out"}</p>
          <SchemaView schema={bodies[0][1]} schemas={schemas} />
        </>
      )}
      <h3>Responses</h3>
      {operation.responses.map(({ status, description: text, schema }) => (
        <details key={status} open={status.startsWith("2") && schema !== null}>
          <summary><strong>{status}</strong> {text} {schema && <span class="muted">{nameOf(schema)}</span>}</summary>
          {schema && <SchemaView schema={schema} schemas={schemas} />}
        </details>
      ))}
    </article>
  );
}

const nameOf = (schema: Schema): string => (schema.$ref ? lastPart(schema.$ref) : (schema.format ?? schema.type ?? ""));
