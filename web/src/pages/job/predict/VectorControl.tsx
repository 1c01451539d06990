import type { InputField } from "./fields";
import { vectorOf } from "./fields";

interface Props {
  field: InputField;
  names: readonly string[] | null; // of its numbers
  text: string;
  error: string | undefined;
  onInput: (text: string) => void;
}

/** The numbers of one vector, an observation say, each in a field of its own. */
export function VectorControl({ field, names, text, error, onInput }: Props) {
  const numbers = vectorOf(text, field.size);
  const known = names?.length === field.size ? names : null;
  return (
    <fieldset class="field predict-vector" aria-describedby={error ? `${field.name}-error` : undefined}>
      <legend>{field.name} ({field.size === 1 ? "a number" : `${field.size} numbers`})</legend>
      <div>
        {numbers.map((number, index) => (
          <label key={index}>
            <span>{known?.[index] ?? `[${index}]`}</span>
            <input
              value={number} inputMode="decimal" autocomplete="off" aria-invalid={error ? true : undefined}
              onInput={(event) => onInput(JSON.stringify(numbers.with(index, event.currentTarget.value)))}
            />
          </label>
        ))}
      </div>
      {error && <p class="error" id={`${field.name}-error`}>{error}</p>}
    </fieldset>
  );
}
