import type { Column, ColumnRole, DataSchema } from "../../api/schema";
import { isRecord } from "../../ui/data";
import { formatNumber } from "../../ui/format";

/** The kind of a data set in words. */
export function sourceText(source: Record<string, unknown>): string {
  if (source["kind"] !== "upload") return `${String(source["kind"])} ${String(source["name"] ?? "")}`.trim();
  const format = source["format"];
  return format === "auto" || !format ? "upload" : String(format);
}

export type Role = "target" | "input" | "ignored";

/** What a job makes of a column unless it says otherwise. */
export function defaultRole(column: Column, schema: DataSchema): Role {
  if (column.name === schema.target) return "target";
  return !column.ignored && schema.inputs.includes(column.name) ? "input" : "ignored";
}

/** How a column becomes a tensor by default: the page on data sets, "Defaults", in a line. */
export function tensorText(column: Column, role: Role): string {
  if (role === "ignored") return column.ignored ? `not read: ${column.ignored}` : "not read";
  if (role === "target") return targetText(column);
  const shape = column.shape?.length ? ` (${column.shape.join(", ")})` : "";
  const texts: Record<string, string> = {
    number: `standardised, float32; a missing one is the mean${column.missing ? ", and a 0 or 1 says so" : ""}`,
    datetime: "year, month, weekday, day, hour and seconds, float32",
    category: `a number for each of ${column.labels?.length ?? "the"} words, or one place per word`,
    text: "numbers of words (length), int64, with its length",
    words: "numbers of words (length), int64, with its length",
    series: `numbers over time (length${column.shape?.length ? `, ${column.shape.join(", ")}` : ""}), float32, with its length`,
    tree: "numbers of labels (nodes), and rows of children",
    image: `float32${shape || " (channels, height, width)"}, from 0 to 1`,
    tensor: `${column.dtype}${shape}`,
  };
  return texts[column.type] ?? column.type;
}

function targetText(column: Column): string {
  if (column.type === "words") return "a class for every token, or several labels at once";
  if (column.labels?.length) return `classes 0 to ${column.labels.length - 1}${column.type === "number" ? ", or a quantity" : ""}`;
  return column.type === "number" ? "a quantity, float32 (1)" : `${column.dtype} target`;
}

/** How a job reads a column: its feature with every setting. */
export function roleText(role: ColumnRole): string {
  if (role.role === "ignored") return role.reason ? `not read: ${role.reason}` : "not read";
  const settings = Object.entries(role.settings ?? {}).filter(([, value]) => value !== null);
  const words = settings.map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : String(value)}`);
  return [`${role.kind ?? "?"} “${role.feature ?? ""}”`, ...words].join(", ");
}

export interface Chart {
  histogram?: { counts: number[]; label: string };
  words?: { counts: Record<string, number>; different: number | null };
  texts: string[]; // figures in words
}

/** What the statistics of a column show: they are of all rows of the first split. */
export function chartOf(column: Column): Chart {
  const statistics = column.statistics ?? {};
  const chart: Chart = { texts: [] };
  if ("min" in statistics) addSummary(chart, statistics, column.unit ?? "");
  for (const [name, unit] of [["characters", "characters"], ["lengths", "long"], ["nodes", "nodes"], ["values", ""]] as const) {
    const part = statistics[name];
    if (isRecord(part)) addSummary(chart, part, unit);
  }
  const { counts, different } = statistics;
  if (isRecord(counts)) {
    chart.words = { counts: counts as Record<string, number>, different: typeof different === "number" ? different : null };
  }
  return chart;
}

function addSummary(chart: Chart, summary: Record<string, unknown>, unit: string): void {
  const shown = (value: unknown) => (typeof value === "number" ? formatNumber(value) : String(value).replace("T00:00:00", ""));
  const range = `${shown(summary["min"])} to ${shown(summary["max"])}${unit && ` ${unit}`}`;
  const mean = typeof summary["mean"] === "number" ? `, mean ${formatNumber(summary["mean"])}` : "";
  const deviation = typeof summary["std"] === "number" ? ` ± ${formatNumber(summary["std"], 3)}` : "";
  chart.texts.push(range + mean + deviation);
  const counts = summary["histogram"];
  if (!chart.histogram && Array.isArray(counts)) chart.histogram = { counts: counts as number[], label: `Histogram, ${range}` };
}
