import { useId, useState } from "preact/hooks";
import { Field } from "../../../ui/Field";
import { KindControl } from "./KindControl";
import type { FormField, OperationSchemas } from "./schemas";

export interface ControlProps {
  field: FormField;
  value: unknown; // undefined: not set
  onChange: (value: unknown) => void;
  schemas: OperationSchemas;
  nodes: readonly string[]; // paths, for the fields that name one
}

/** A field of a form that a JSON Schema describes. What is left empty is not sent. */
export function FieldControl(props: ControlProps) {
  const { field } = props;
  if (field.type === "kind") return <KindControl {...props} />;
  const label = `${field.name.replaceAll("_", " ")}${field.required ? "" : " (optional)"}`;
  return (
    <Field label={label} hint={field.schema.description}>
      {(attributes) => <Input {...props} attributes={attributes} />}
    </Field>
  );
}

type InputProps = ControlProps & { attributes: { id: string; "aria-describedby"?: string } };

function Input({ field, value, onChange, nodes, attributes }: InputProps) {
  const { schema, type } = field;
  const options = useId();
  const shown = schema.default === undefined || schema.default === null ? "" : `default: ${textOf(schema.default)}`;
  if (type === "choice" || type === "boolean") {
    const choices = type === "boolean" ? ["true", "false"] : (schema.enum as string[]);
    const parse = (text: string) => (text === "" ? undefined : type === "boolean" ? text === "true" : text);
    return (
      <select {...attributes} value={value === undefined ? "" : String(value)} onChange={(event) => onChange(parse(event.currentTarget.value))}>
        {(!field.required || value === undefined) && <option value="">{shown || "choose…"}</option>}
        {choices.map((choice) => <option key={choice} value={choice}>{choice}</option>)}
      </select>
    );
  }
  if (type === "node" || type === "nodes" || type === "pair" || type === "text") {
    const many = type === "nodes" || type === "pair";
    const parse = (text: string) => (text.trim() === "" ? undefined : many ? text.split(/[\s,]+/).filter(Boolean) : text.trim());
    return (
      <>
        <input {...attributes} list={type === "text" ? undefined : options} value={Array.isArray(value) ? value.join(", ") : String(value ?? "")} placeholder={many ? (type === "pair" ? "from, to" : "a, b, …") : shown} spellcheck={false} autocomplete="off" onChange={(event) => onChange(parse(event.currentTarget.value))} />
        {type !== "text" && <datalist id={options}>{nodes.map((node) => <option key={node} value={node} />)}</datalist>}
      </>
    );
  }
  if (type === "integer" || type === "number") {
    const step = type === "integer" ? 1 : "any";
    return <input {...attributes} type="number" step={step} min={schema.minimum} max={schema.maximum} value={value === undefined ? "" : String(value)} placeholder={shown} onInput={(event) => onChange(event.currentTarget.value === "" ? undefined : event.currentTarget.valueAsNumber)} />;
  }
  return <JsonInput value={value} onChange={onChange} placeholder={shown || "JSON: 3, [1, 2], \"text\""} attributes={attributes} />;
}

/** Any value as JSON; what is no JSON is taken as text, so that a name needs no quotes. */
export function JsonInput({ value, onChange, placeholder, attributes }: { value: unknown; onChange: (value: unknown) => void; placeholder: string; attributes: { id: string } }) {
  const [text, setText] = useState(value === undefined ? "" : textOf(value));
  const change = (next: string) => {
    setText(next);
    onChange(parseJson(next));
  };
  return <input {...attributes} class="code" value={text} placeholder={placeholder} spellcheck={false} autocomplete="off" onInput={(event) => change(event.currentTarget.value)} />;
}

export function parseJson(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text.trim();
  }
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
