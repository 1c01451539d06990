import type { Job } from "../../api/schema";
import type { Line } from "../../charts/lines";
import type { ChartContent } from "../../charts/paint";
import type { Range } from "../../charts/ranges";
import { scaleFor } from "../../charts/scales";
import { jobLine, seriesColor, wholeExtent, yScaleOf } from "../../curves/lines";
import type { CurveLoader } from "../../curves/loader";
import { betterOf, type Group } from "../../curves/names";
import { meanLine } from "../../curves/spread";
import { AXES, type View } from "../../curves/view";
import { formatNumber } from "../../ui/format";
import { bestRow } from "../../charts/lines";
import { factorOf } from "../../curves/axes";
import { colorsBy, groupLabel, seedGroups, type Difference } from "./differences";

export interface Given {
  jobs: readonly Job[];
  loaders: readonly CurveLoader[];
  found: readonly Difference[];
  shown: readonly Group[];
  view: View;
  colorBy: string; // "" by job, else a path of the specs
  means: boolean; // over the seeds
  hidden: readonly string[]; // ids of jobs
  whole: { current: Range | null };
}

export interface ComparedChart {
  key: string;
  content: ChartContent;
  lines: Line[];
}

export const jobColors = (jobs: readonly Job[], found: readonly Difference[], colorBy: string): string[] => {
  const values = found.find(({ path }) => path === colorBy)?.values;
  return values ? colorsBy(values, seriesColor) : jobs.map((_, index) => seriesColor(index));
};

/** One chart for every series, with a line for every job, or for every group of jobs that differ in their seed alone. */
export function comparedCharts({ jobs, loaders, found, shown, view, colorBy, means, hidden, whole }: Given): { charts: ComparedChart[]; extent: Range } {
  const colors = jobColors(jobs, found, colorBy);
  const groups = means ? seedGroups(jobs.length, found) : jobs.map((_, index) => [index]);
  const charts = shown.map(({ measure, names }) => ({
    key: measure,
    lines: names.flatMap((name) =>
      groups.flatMap((members) => {
        const lines = members.filter((index) => !hidden.includes(jobs[index]!.id)).flatMap((index) => lineOf(jobs[index]!, loaders, name, colors[index]!, view) ?? []);
        if (!lines.length) return [];
        if (!means || lines.length === 1) return lines;
        return [meanLine(lines, `mean:${members.join()}:${name}`, `${groupLabel(members[0]!, found)}: mean of ${lines.length} ± deviation`, colors[members[0]!]!)];
      }),
    ),
  }));
  const data = wholeExtent(charts.flatMap(({ lines }) => lines), view.xLog);
  if (!view.range) whole.current = data;
  const extent = whole.current ?? [Math.min(data[0], view.range![0]), Math.max(data[1], view.range![1])];
  const common = {
    axis: AXES[view.x].kind, xTitle: AXES[view.x].title, xScale: scaleFor(view.xLog ? "log" : "linear", 1),
    range: view.range ?? extent, marks: [], pins: [], band: view.band, trimmed: view.trimmed,
  };
  return { extent, charts: charts.map(({ key, lines }) => ({ key, lines, content: { ...common, label: key, lines, yScale: yScaleOf(lines, view.y) } })) };
}

function lineOf(job: Job, loaders: readonly CurveLoader[], name: string, color: string, view: View): Line | null {
  const series = loaders.find(({ jobId }) => jobId === job.id)?.series.get(name);
  if (!series) return null;
  const line = jobLine(job.id, job.name, color, name, series, factorOf(view.x, job), false);
  return { ...line, label: job.name, better: betterOf(name) };
}

/** A value of a series of a job for the table: the best where there is one, else the last. */
export function valueOf(loader: CurveLoader | undefined, name: string): { value: number; text: string } | null {
  const series = loader?.series.get(name);
  if (!series || !series.raw.step.length) return null;
  const { raw } = series;
  const better = betterOf(name);
  const row = better ? bestRow({ id: "", label: "", color: "", dashed: false, smooth: null, width: 1, better, columns: raw }) : raw.step.length - 1;
  if (row < 0) return { value: NaN, text: "NaN" };
  const value = better === "low" ? raw.min[row]! : better === "high" ? raw.max[row]! : raw.last[row]!;
  return { value, text: better ? `${formatNumber(value)} (last ${formatNumber(raw.last.at(-1)!)})` : formatNumber(value) };
}
