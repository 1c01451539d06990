/** The settings of reading an upload, as a form holds them. */
export interface ReadingFields {
  format: string;
  target: string;
  encoding: string;
  types: string; // JSON
  formats: string; // JSON
  missing: boolean;
}

/** Return the fields of `source` that say more than the defaults. Throws an error that names a field which is no JSON. */
export function readingOptions(fields: ReadingFields): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const name of ["format", "target", "encoding"] as const) if (fields[name].trim()) options[name] = fields[name].trim();
  for (const name of ["types", "formats"] as const) if (fields[name].trim()) options[name] = objectIn(name, fields[name]);
  if (fields.missing) options["on_bad"] = "missing";
  return options;
}

function objectIn(name: string, text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // told below
  }
  throw new Error(`"${name}" is a JSON object of columns, such as {"zip": "category"}`);
}
