import { Field } from "../../../ui/Field";
import { METHOD_NUMBERS, type GenerationSettings, type MethodKind } from "./generation";

interface Props {
  settings: GenerationSettings;
  own: string; // the job's method
  onChange: (settings: GenerationSettings) => void;
}

const METHODS: Record<MethodKind, string> = { greedy: "the likeliest token", sample: "drawn by chance", beam: "the likeliest text, by beams" };

/** How the text goes on. */
export function GenerationControls({ settings, own, onChange }: Props) {
  const numbers = [...METHOD_NUMBERS[settings.method], { name: "max_length", label: "At most", hint: "new tokens; empty: as many as the job says" }];
  return (
    <fieldset class="predict-generation">
      <legend>How the text goes on</legend>
      <Field label="Method">
        {(attributes) => (
          <select {...attributes} value={settings.method} onChange={(event) => onChange({ ...settings, method: event.currentTarget.value as GenerationSettings["method"] })}>
            <option value="">as the job says ({own})</option>
            {Object.entries(METHODS).map(([kind, text]) => <option key={kind} value={kind}>{kind}: {text}</option>)}
          </select>
        )}
      </Field>
      {numbers.map(({ name, label, hint }) => (
        <Field key={name} label={label} hint={hint}>
          {(attributes) => (
            <input
              {...attributes} value={settings.numbers[name] ?? ""} inputMode="decimal" autocomplete="off"
              onInput={(event) => onChange({ ...settings, numbers: { ...settings.numbers, [name]: event.currentTarget.value } })}
            />
          )}
        </Field>
      ))}
    </fieldset>
  );
}
