import { useState } from "preact/hooks";
import { navigate } from "../../shell/router";
import { Field } from "../../ui/Field";
import { Problems } from "../../ui/Message";
import { readingOptions, type ReadingFields } from "./reading";
import { startUpload } from "./uploads";

const FORMATS = ["", "csv", "tsv", "jsonl", "parquet", "npz", "safetensors", "idx", "images", "conll", "trees", "vectors", "weights"];
const NOTHING: ReadingFields = { format: "", target: "", encoding: "", types: "", formats: "", missing: false };

/** Choose or drop files: each becomes a data set. */
export function UploadForm() {
  const [over, setOver] = useState(false);
  const [error, setError] = useState<unknown>();
  const [fields, setFields] = useState(NOTHING);
  const begin = async (files: readonly File[]) => {
    setError(undefined);
    try {
      const options = readingOptions(fields);
      const ids: string[] = [];
      for (const file of files) ids.push(await startUpload(file, nameOf(file), options));
      if (ids.length === 1) navigate(`/datasets/${ids[0]}`);
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <section
      class={over ? "panel datasets-drop over" : "panel datasets-drop"}
      aria-label="Upload"
      onDragOver={(event) => (event.preventDefault(), setOver(true))}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void begin([...(event.dataTransfer?.files ?? [])]);
      }}
    >
      <div class="row">
        <label class="button primary datasets-choose">
          Upload a file
          <input
            class="visually-hidden" type="file" multiple
            onChange={(event) => {
              const input = event.currentTarget;
              void begin([...(input.files ?? [])]).then(() => (input.value = ""));
            }}
          />
        </label>
        <span class="muted">or drop it here: CSV, JSON Lines, Parquet, NPZ, a zip of pictures, CoNLL, trees… It can be interrupted, and goes on where it was.</span>
      </div>
      <ReadingOptions fields={fields} onChange={(changes) => setFields({ ...fields, ...changes })} />
      {error !== undefined && <Problems error={error} />}
    </section>
  );
}

const nameOf = (file: File): string => file.name.replace(/(\.[A-Za-z0-9]{1,8}){1,2}$/, "").slice(0, 200) || file.name;

function ReadingOptions({ fields, onChange }: { fields: ReadingFields; onChange: (changes: Partial<ReadingFields>) => void }) {
  const text = (name: "target" | "encoding" | "types" | "formats", label: string, hint: string) => (
    <Field label={label} hint={hint}>
      {(attributes) => <input {...attributes} value={fields[name]} onInput={(event) => onChange({ [name]: event.currentTarget.value })} />}
    </Field>
  );
  return (
    <details class="datasets-options">
      <summary>How it is to be read</summary>
      <p class="hint">All of it follows from the file, unless you say otherwise. It holds for the files that are uploaded next.</p>
      <div class="grid">
        <Field label="Format">
          {(attributes) => (
            <select {...attributes} value={fields.format} onChange={(event) => onChange({ format: event.currentTarget.value })}>
              {FORMATS.map((each) => <option key={each} value={each}>{each || "as it looks"}</option>)}
            </select>
          )}
        </Field>
        {text("target", "Column to learn", "a column's name")}
        {text("encoding", "Encoding of a text", "such as windows-1251")}
        {text("types", "Types of columns", 'JSON, such as {"zip": "category"}')}
        {text("formats", "Formats of numbers and dates", 'JSON, such as {"price": "1.234,5"}')}
        <div class="field">
          <label><input type="checkbox" checked={fields.missing} onChange={(event) => onChange({ missing: event.currentTarget.checked })} /> Bad cells are missing values</label>
          <p class="hint">otherwise a word among numbers is an error, with its place</p>
        </div>
      </div>
    </details>
  );
}
