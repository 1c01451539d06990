import { isRecord } from "../../../ui/data";

export type MethodKind = "greedy" | "sample" | "beam";

/** What is entered about the generation: texts of numbers, of which empty ones are left to the job. */
export interface GenerationSettings {
  method: MethodKind | "";
  numbers: Record<string, string>;
}

export interface GenerationNumber {
  name: string;
  label: string;
  hint: string;
}

const SEED: GenerationNumber = { name: "seed", label: "Seed", hint: "the same seed draws the same text; empty: 0" };

/** The numbers of each method, in the order of the form; "" is the job's own method. */
export const METHOD_NUMBERS: Record<MethodKind | "", GenerationNumber[]> = {
  "": [SEED],
  greedy: [],
  sample: [
    { name: "temperature", label: "Temperature", hint: "below 1: likelier tokens; above: more surprise" },
    { name: "top_k", label: "Top k", hint: "the k likeliest tokens alone" },
    { name: "top_p", label: "Top p", hint: "the fewest tokens that reach this probability" },
    SEED,
  ],
  beam: [
    { name: "beams", label: "Beams", hint: "beginnings that are kept" },
    { name: "length_penalty", label: "Length penalty", hint: "0: short texts; above 1: long ones" },
  ],
};

/** The stored column whose texts the network goes on with, and the method of the job; null: it generates nothing. */
export function generatedColumn(spec: Record<string, unknown>): { column: string; method: string } | null {
  const model = isRecord(spec["model"]) ? spec["model"] : {};
  const nodes = [model["nodes"], model["layers"]].flatMap((each) => (Array.isArray(each) ? each : [])).filter(isRecord);
  const node = nodes.find((each) => isRecord(each["generate"]));
  if (!node || !isRecord(node["generate"])) return null;
  const feature = firstOf(node["kind"] === "Scan" ? node["over"] : node["inputs"]) ?? firstOf(model["inputs"]);
  const data = isRecord(spec["data"]) && isRecord(spec["data"]["features"]) ? spec["data"]["features"][feature ?? ""] : undefined;
  const method = node["generate"]["method"];
  return {
    column: isRecord(data) && typeof data["column"] === "string" ? data["column"] : feature ?? "",
    method: isRecord(method) ? String(method["kind"]) : typeof method === "string" ? method : "greedy",
  };
}

const firstOf = (value: unknown): string | undefined => (Array.isArray(value) ? value.find((each) => typeof each === "string") : typeof value === "string" ? value : undefined);

/** The fields `generate` and `seed` of a request. What is no number is sent as it is: the service says what is wrong. */
export function generateOf({ method, numbers }: GenerationSettings): { generate: Record<string, unknown>; seed?: unknown } {
  const given = (name: string): Record<string, unknown> => {
    const text = (numbers[name] ?? "").trim();
    return text === "" ? {} : { [name]: Number.isNaN(Number(text)) ? text : Number(text) };
  };
  const own = METHOD_NUMBERS[method].filter((each) => each.name !== "seed").map((each) => given(each.name));
  const generate = { ...(method && { method: Object.assign({ kind: method }, ...own) as Record<string, unknown> }), ...given("max_length") };
  return { generate, ...(method !== "greedy" && method !== "beam" && given("seed")) };
}

/** A token as it is shown: what nobody sees, by a sign. */
export const tokenText = (token: unknown): string => String(token).replaceAll("\n", "⏎").replaceAll(" ", "␣");
