import { useEffect, useId, useState } from "preact/hooks";
import { Field } from "../../../ui/Field";
import { settingsOf } from "../network/spec";
import { FieldControl, JsonInput } from "./FieldControl";
import { Fields } from "./KindControl";
import { settablePaths, type Json, type OperationSchemas } from "./schemas";

interface Props {
  schemas: OperationSchemas;
  spec: unknown;
  nodes: readonly string[];
  selected: { path: string; pointer: string } | null;
  onAdd: (operation: Json) => void;
}

/** A form of one operation, made from its JSON Schema; the node that is selected is filled in. */
export function OperationForm({ schemas, spec, nodes, selected, onAdd }: Props) {
  const [op, setOp] = useState("insert");
  const [fields, setFields] = useState<Json>({});
  const [turn, setTurn] = useState(0); // of the form: a new one after each operation
  const shown = schemas.fieldsOf(op);
  useEffect(() => {
    if (selected) setFields((old) => ({ ...old, ...placeOf(op, selected.path) }));
  }, [op, selected?.path]);
  const choose = (next: string) => {
    setOp(next);
    setFields(selected ? placeOf(next, selected.path) : {});
  };
  const missing = shown.filter((field) => field.required && fields[field.name] === undefined && !(op === "set" && field.name === "value"));
  const submit = (event: Event) => {
    event.preventDefault();
    const ordered = Object.fromEntries(shown.map((field) => [field.name, fields[field.name]]).filter(([, value]) => value !== undefined));
    onAdd({ op, ...ordered, ...(op === "set" && ordered["value"] === undefined && { value: null }) });
    setFields(selected ? placeOf(op, selected.path) : {});
    setTurn(turn + 1);
  };
  return (
    <form key={turn} class="panel" onSubmit={submit} aria-label="A new operation">
      <h2>An operation</h2>
      <Field label="Operation" hint={schemas.operations.find((each) => each.op === op)?.description.split("\n")[0]!.replaceAll("`", "")}>
        {(attributes) => (
          <select {...attributes} value={op} onChange={(event) => choose(event.currentTarget.value)}>
            {schemas.operations.map((each) => <option key={each.op} value={each.op}>{each.op.replaceAll("_", " ")}</option>)}
          </select>
        )}
      </Field>
      {op === "set" ? (
        <SetFields schemas={schemas} spec={spec} selected={selected} nodes={nodes} current={fields} onChange={setFields} />
      ) : (
        <Fields key={op} fields={shown} current={fields} onChange={(value) => setFields(value as Json)} schemas={schemas} nodes={nodes} />
      )}
      <button type="submit" disabled={missing.length > 0}>Add to the edit</button>
      {missing.length > 0 && <p class="hint">Needs {missing.map((field) => field.name).join(", ")}.</p>}
    </form>
  );
}

/** The fields of an operation that say where it is, for a node that is selected. */
function placeOf(op: string, path: string): Json {
  if (op === "set" || op === "swap_optimizer") return {};
  if (op === "freeze" || op === "unfreeze") return { nodes: [path] };
  return op === "insert" || op === "deepen" ? { after: path } : { node: path };
}

interface SetProps {
  schemas: OperationSchemas;
  spec: unknown;
  selected: Props["selected"];
  nodes: readonly string[];
  current: Json;
  onChange: (fields: Json) => void;
}

/** A path of the spec, and a value of the type that stands there. */
function SetFields({ schemas, spec, selected, nodes, current, onChange }: SetProps) {
  const options = useId();
  const paths = settablePaths(schemas, spec, selected && { path: selected.path, settings: settingsOf(spec, selected.pointer) });
  const path = String(current["path"] ?? "");
  const field = path.startsWith("model.") ? undefined : schemas.fieldAt(path, spec);
  const setValue = (value: unknown) => onChange({ ...current, value });
  return (
    <>
      <Field label="path" hint="Of the plan, of the objective, or of a node: model.drop1.p">
        {(attributes) => (
          <>
            <input {...attributes} list={options} value={path} placeholder="training.optimizer.lr" spellcheck={false} autocomplete="off" onInput={(event) => onChange({ path: event.currentTarget.value.trim() || undefined })} />
            <datalist id={options}>{paths.map((each) => <option key={each} value={each} />)}</datalist>
          </>
        )}
      </Field>
      {field && field.type !== "json" ? (
        <FieldControl key={path} field={{ ...field, name: "value" }} value={current["value"]} onChange={setValue} schemas={schemas} nodes={nodes} />
      ) : (
        <Field label="value" hint="Empty: the default.">
          {(attributes) => <JsonInput key={path} value={current["value"]} onChange={setValue} placeholder="JSON" attributes={attributes} />}
        </Field>
      )}
    </>
  );
}
