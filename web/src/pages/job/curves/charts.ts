import type { Job, JobSummary } from "../../../api/schema";
import type { Line } from "../../../charts/lines";
import type { ChartContent } from "../../../charts/paint";
import type { Range } from "../../../charts/ranges";
import { scaleFor } from "../../../charts/scales";
import { jobLine, ownLine, seriesColor, wholeExtent, yScaleOf } from "../../../curves/lines";
import type { CurveLoader } from "../../../curves/loader";
import { hasReturns, splitOf, type Group } from "../../../curves/names";
import { axesOf } from "../../../curves/axes";
import { AXES, type View, type XAxis } from "../../../curves/view";
import { queryParameters } from "../../../shell/router";
import { summaryOf, type Summary } from "./tables";
import { between, marksOn, type Happening } from "./marks";

export interface Panel {
  key: string;
  content: ChartContent;
  lines: Line[]; // also those that are hidden
}

export interface Charts {
  panels: Panel[];
  hidden: string[];
  extent: Range;
  stepRange: Range; // the shown range in steps
  axes: XAxis[]; // that this job has
  toStep: (x: number) => number;
  summaries: Summary[]; // of the lines that are shown
}

interface Given {
  job: Job;
  view: View;
  shown: readonly Group[];
  loaders: readonly CurveLoader[];
  references: readonly JobSummary[];
  happenings: readonly Happening[];
  factor: number;
  whole: { current: Range | null }; // all of x, from when it was last shown
}

/** Every chart of the tab, from what is loaded and how it is looked at. */
export function chartsOf({ job, view, shown, loaders, references, happenings, factor, whole }: Given): Charts {
  const hidden = queryParameters.value.getAll("hide");
  const panels = shown.map((group) => ({ key: group.measure, lines: linesOf(group, loaders, references, factor) }));
  const all = panels.flatMap(({ lines }) => lines);
  const data = wholeExtent(all, view.xLog);
  if (!view.range) whole.current = data;
  const extent = whole.current ?? [Math.min(data[0], view.range![0]), Math.max(data[1], view.range![1])];
  const range = view.range ?? extent;
  const places = all.toSorted((a, b) => b.columns.x.length - a.columns.x.length)[0]?.columns ?? { x: [], step: [] };
  const stepwise = AXES[view.x].server === "step";
  const toX = (step: number) => (stepwise ? step * factor : between(places.step, places.x, step));
  const toStep = (x: number) => (stepwise ? x / factor : (between(places.x, places.step, x) ?? 0));
  const marks = marksOn(happenings, ({ step, time }) => (view.x === "time" && time !== null ? time : step === null ? null : toX(step)));
  const common = {
    axis: AXES[view.x].kind, xTitle: AXES[view.x].title, xScale: scaleFor(view.xLog ? "log" : "linear", 1), range, marks,
    pins: view.pins.flatMap((step) => toX(step) ?? []), band: view.band, trimmed: view.trimmed,
  };
  return {
    panels: panels.map(({ key, lines }) => {
      const visible = lines.filter(({ id }) => !hidden.includes(id));
      return { key, lines, content: { ...common, label: key, lines: visible, yScale: yScaleOf(visible, view.y) } };
    }),
    hidden,
    extent,
    stepRange: [toStep(range[0]), toStep(range[1])],
    axes: axesOf(job),
    toStep,
    summaries: summariesOf(all.filter(({ id }) => !hidden.includes(id)), loaders),
  };
}

function summariesOf(lines: readonly Line[], loaders: readonly CurveLoader[]): Summary[] {
  const acts = hasReturns([...loaders[0]!.series.keys()]);
  return lines.flatMap((line) => {
    const other = loaders.slice(1).find(({ jobId }) => line.id.startsWith(`${jobId}:`));
    const name = other ? line.id.slice(other.jobId.length + 1) : line.id;
    return summaryOf(line, name, (other ?? loaders[0]!).series.get(name)?.raw.count ?? [], acts) ?? [];
  });
}

function linesOf(group: Group, loaders: readonly CurveLoader[], references: readonly JobSummary[], factor: number): Line[] {
  const lines: Line[] = [];
  for (const [index, loader] of loaders.entries())
    for (const name of group.names) {
      const series = loader.series.get(name);
      if (!series) continue;
      if (index === 0) lines.push(ownLine(name, series, factor));
      else {
        const label = references.find(({ id }) => id === loader.jobId)?.name ?? loader.jobId;
        lines.push(jobLine(loader.jobId, label, seriesColor(index + 2), name, series, factor, !["train", "episode"].includes(splitOf(name))));
      }
    }
  return lines;
}
