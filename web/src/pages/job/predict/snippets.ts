/** The same request for other programs. They read the address and the key from the environment: no secret is shown. */

export interface PredictBody {
  rows: Record<string, unknown>[];
  checkpoint?: string;
  outputs?: string[];
  top?: number;
  generate?: Record<string, unknown>;
  seed?: unknown;
}

/** Samples of outputs that read no column. */
export interface SampleBody extends Omit<PredictBody, "rows"> {
  count: number;
  seed: number;
}

const LONG = 400; // characters of a text that is shortened in what is shown

const shortened = (_: string, value: unknown): unknown =>
  typeof value === "string" && value.length > LONG ? `${value.slice(0, 24)}… (the file in base64)` : value;

export function curlSnippet(jobId: string, body: PredictBody | SampleBody): string {
  const document = JSON.stringify(body, shortened).replaceAll("'", "'\\''");
  return `curl -H "Authorization: Bearer $GRAFTWERK_KEY" "$GRAFTWERK_URL/v1/jobs/${jobId}/predict" \\\n  --json '${document}'`;
}

export function pythonSnippet(jobId: string, body: PredictBody | SampleBody): string {
  const settings = Object.entries(body).map(([name, value]) => (name === "rows" ? pythonText(value) : `${name}=${pythonText(value)}`)).join(", ");
  return [
    "from graftwerk import Client",
    "",
    "with Client() as client:  # GRAFTWERK_URL and GRAFTWERK_KEY, or the address that `graftwerk up` wrote",
    `    job = client.jobs.get("${jobId}")`,
    `    print(job.predict(${settings}))`,
  ].join("\n");
}

/** A JSON value as Python writes it. */
function pythonText(value: unknown): string {
  const shown = shortened("", value);
  if (shown === null || shown === undefined) return "None";
  if (typeof shown === "boolean") return shown ? "True" : "False";
  if (Array.isArray(shown)) return `[${shown.map(pythonText).join(", ")}]`;
  if (typeof shown === "object") return `{${Object.entries(shown).map(([name, each]) => `${JSON.stringify(name)}: ${pythonText(each)}`).join(", ")}}`;
  return JSON.stringify(shown);
}
