import { useId, useState } from "preact/hooks";
import { Field } from "../../../ui/Field";
import { FieldControl, type ControlProps } from "./FieldControl";
import type { FormField, Json } from "./schemas";

/** An object with a kind of the catalogue: the kind is chosen first, its settings follow. */
export function KindControl(props: ControlProps) {
  const { field, value, onChange, schemas } = props;
  const options = useId();
  const groups = schemas.groupsOf(field.schema);
  const current = (typeof value === "object" && value !== null ? value : {}) as Json;
  const [kind, setKind] = useState(String(current["kind"] ?? ""));
  const kinds = schemas.kindsOf(groups);
  const known = kinds.find((each) => each.kind === kind);
  const choose = (next: string) => {
    setKind(next);
    onChange(next.trim() ? { kind: next.trim() } : undefined);
  };
  return (
    <fieldset class="surgery-kind">
      <legend>{field.name.replaceAll("_", " ")}{field.required ? "" : " (optional)"}</legend>
      <Field label="kind" hint={known?.sentence ?? (kind && "There is no such kind in the catalogue.")}>
        {(attributes) => (
          <>
            <input {...attributes} list={options} value={kind} placeholder={groups.includes("optimizer") ? "AdamW" : "Conv2d"} spellcheck={false} autocomplete="off" onInput={(event) => choose(event.currentTarget.value)} />
            <datalist id={options}>{kinds.map((each) => <option key={each.kind} value={each.kind}>{each.sentence}</option>)}</datalist>
          </>
        )}
      </Field>
      {known && <Fields key={kind} {...props} fields={schemas.fieldsOfKind(kind, groups)} current={current} onChange={onChange} />}
    </fieldset>
  );
}

interface FieldsProps extends Omit<ControlProps, "field" | "value"> {
  fields: FormField[];
  current: Json;
}

/** The fields of an object: required ones at once, the others when they are asked for. */
export function Fields({ fields, current, onChange, schemas, nodes }: FieldsProps) {
  const set = (name: string, value: unknown) => {
    const { [name]: _, ...rest } = current;
    onChange(value === undefined ? rest : { ...rest, [name]: value });
  };
  const control = (field: FormField) => <FieldControl key={field.name} field={field} value={current[field.name]} onChange={(value) => set(field.name, value)} schemas={schemas} nodes={nodes} />;
  const required = fields.filter((field) => field.required);
  const optional = fields.filter((field) => !field.required);
  if (fields.length <= 6) return <>{fields.map(control)}</>;
  return (
    <>
      {required.map(control)}
      <details open={required.length === 0}>
        <summary>{optional.length} optional settings</summary>
        {optional.map(control)}
      </details>
    </>
  );
}
