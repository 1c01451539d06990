import { useState } from "preact/hooks";
import { Field } from "../../../ui/Field";
import { imageOf } from "../../../ui/data";
import { PixelImage } from "../../../ui/DataValue";
import { messageOf } from "../../../ui/Message";
import type { InputField } from "./fields";
import { VectorControl } from "./VectorControl";

interface Props {
  field: InputField;
  names?: readonly string[] | null; // of the numbers of a vector
  text: string;
  error: string | undefined;
  onInput: (text: string) => void;
}

/** The control of one column. */
export function InputControl({ field, names = null, text, error, onInput }: Props) {
  if (field.kind === "vector") return <VectorControl field={field} names={names} text={text} error={error} onInput={onInput} />;
  if (field.kind === "picture") return <PictureControl field={field} text={text} error={error} onInput={onInput} />;
  return (
    <Field label={`${field.name} (${field.type})`} hint={field.hint || undefined} error={error}>
      {(attributes) => {
        if (field.kind === "choice") {
          return (
            <select {...attributes} value={text} onChange={(event) => onInput(event.currentTarget.value)}>
              <option value="">(missing)</option>
              {text !== "" && !field.labels.includes(text) && <option value={text}>{text}</option>}
              {field.labels.map((label) => <option key={label} value={label}>{label}</option>)}
            </select>
          );
        }
        if (field.kind === "number" || field.kind === "line") {
          return <input {...attributes} value={text} inputMode={field.kind === "number" && !field.format ? "decimal" : "text"} autocomplete="off" onInput={(event) => onInput(event.currentTarget.value)} />;
        }
        return <textarea {...attributes} class={field.kind === "json" ? "code" : ""} rows={3} value={text} onInput={(event) => onInput(event.currentTarget.value)} />;
      }}
    </Field>
  );
}

/** A picture: dropped, chosen, or as lists of numbers; it is shown before it is sent. */
function PictureControl({ field, text, error, onInput }: Props) {
  const [shown, setShown] = useState<{ url: string; text: string } | null>(null);
  const [over, setOver] = useState(false);
  const [failed, setFailed] = useState("");
  const take = async (file: File | undefined) => {
    if (!file) return;
    try {
      const url = await dataUrl(file);
      const content = url.slice(url.indexOf(",") + 1);
      setShown({ url: URL.createObjectURL(file), text: content });
      setFailed("");
      onInput(content);
    } catch (problem) {
      setFailed(messageOf(problem));
    }
  };
  const pixels = imageOf(parsed(text));
  return (
    <Field label={`${field.name} (${field.type})`} hint={field.hint} error={error ?? (failed || undefined)}>
      {(attributes) => (
        <div
          class={over ? "predict-drop over" : "predict-drop"}
          onDragOver={(event) => (event.preventDefault(), setOver(true))}
          onDragLeave={() => setOver(false)}
          onDrop={(event) => (event.preventDefault(), setOver(false), void take(event.dataTransfer?.files[0]))}
        >
          {shown?.text === text && <img src={shown.url} alt={`the picture for ${field.name}`} />}
          {pixels?.kind === "pixels" && <PixelImage pixels={pixels} name={field.name} />}
          <div>
            <input {...attributes} type="file" accept="image/*" onChange={(event) => void take(event.currentTarget.files?.[0])} />
            <span class="muted"> or drop a picture here</span>
            <details>
              <summary>as lists of numbers, or base64</summary>
              <textarea class="code" rows={3} aria-label={`${field.name} as text`} value={text} onInput={(event) => onInput(event.currentTarget.value)} />
            </details>
          </div>
        </div>
      )}
    </Field>
  );
}

function parsed(text: string): unknown {
  try {
    return /^\s*\[/.test(text) ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

function dataUrl(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error("the file cannot be read"));
    reader.readAsDataURL(file);
  });
}
