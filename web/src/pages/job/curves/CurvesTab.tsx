import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Range } from "../../../charts/ranges";
import { withSurroundings } from "../../../charts/ranges";
import { scaleFor } from "../../../charts/scales";
import { ChartPanel } from "../../../curves/ChartPanel";
import { useLoaders, usePolling } from "../../../curves/useLoaders";
import { groupNames, shownGroups } from "../../../curves/names";
import { Toolbar } from "../../../curves/Toolbar";
import { AXES, MAX_PINS, parseView, viewChanges, type View } from "../../../curves/view";
import { queryParameters, setQuery } from "../../../shell/router";
import { Loading, Message, Problems } from "../../../ui/Message";
import { hasEnded, progressOf } from "../../../curves/progress";
import { waitingText } from "../verbs";
import type { JobTabProps } from "../tabs";
import { factorOf } from "../../../curves/axes";
import { MetricPicker } from "../../../curves/MetricPicker";
import { chartsOf } from "./charts";
import { PinTable } from "./PinTable";
import { References, useReferences } from "./References";
import { SaveCurves } from "./SaveCurves";
import { SummaryTable } from "./SummaryTable";
import { useMarks } from "./useMarks";

const NO_NAMES: readonly string[] = [];

export default function CurvesTab({ job, feed }: JobTabProps) {
  const view = parseView(queryParameters.value);
  const [moving, setMoving] = useState<Range | null>(null); // while it moves: the address has it when it rests
  const change = (changes: Partial<View>) => setQuery(viewChanges(changes));
  const progress = progressOf(job.progress);
  const factor = factorOf(view.x, job);
  const axis = AXES[view.x];
  const xScale = scaleFor(view.xLog ? "log" : "linear", 1);

  const [found, setFound] = useState<readonly string[]>(NO_NAMES);
  const names = useMemo(() => [...new Set([...Object.keys(progress.latest), ...found])].sort(), [Object.keys(progress.latest).join(), found]);
  const groups = groupNames(names, view.apart);
  const shown = shownGroups(groups, view.measures);
  const every = shown.length === groups.length;
  const range = view.range && (withSurroundings(view.range, xScale).map((x) => x / factor) as [number, number]);
  const request = { names: every ? null : shown.flatMap((group) => group.names), x: axis.server, range, smooth: view.smooth };
  const references = useReferences(view.jobs);
  const loaders = useLoaders([job.id, ...view.jobs], () => request);
  usePolling(loaders.slice(1), (id) => references.some((other) => other.id === id && !hasEnded(other.status)));
  const own = loaders[0]!;
  useEffect(() => feed.subscribe((events) => own.receive(events)), [feed, own]);
  useEffect(() => {
    if (hasEnded(job.status)) own.refresh(0); // the answer is final: nothing is left to a stream that may have ended early
  }, [job.status]);
  const loaded = [...own.series.keys()].filter((name) => !names.includes(name));
  useEffect(() => {
    if (loaded.length) setFound((known) => [...known, ...loaded]);
  }, [loaded.join()]);

  const happenings = useMarks(job.id, feed, names.find((name) => name.startsWith("train/")), progress.step);
  const cursor = useSignal<number | null>(null);
  const whole = useRef<Range | null>(null);
  const setRange = (next: Range | null, settled: boolean) => {
    setMoving(settled ? null : next);
    if (settled) change({ range: next });
  };
  const charts = chartsOf({ job, view: { ...view, range: moving ?? view.range }, shown, loaders, references, happenings, factor, whole });

  if (!names.length) return <NoCurves job={job} loading={own.loading} error={own.error} />;
  const pick = (x: number) => change({ pins: togglePin(view.pins, charts.toStep(x), charts.stepRange) });
  const toggle = (id: string) => setQuery({ hide: charts.hidden.includes(id) ? charts.hidden.filter((each) => each !== id) : [...charts.hidden, id] });
  return (
    <>
      <Toolbar view={view} axes={charts.axes} change={change}>
        <MetricPicker groups={groups} shown={shown} view={view} change={change} />
        <References jobId={job.id} view={view} references={references} change={change} />
        <SaveCurves job={job} charts={charts} names={names} />
      </Toolbar>
      {own.error !== null && <Problems error={own.error} retry={() => own.refresh(0)} />}
      {own.series.size === 0 ? (
        own.loading && <Loading what="curves" />
      ) : (
        <div class="curve-grid" aria-busy={own.loading}>
          {charts.panels.map(({ key, content, lines }) => (
            <ChartPanel
              key={key} content={content} lines={lines} hidden={charts.hidden} extent={charts.extent} cursor={cursor} large={view.large === key}
              onRange={setRange} onPick={pick} onToggle={toggle} onLarge={(large) => change({ large: large ? key : "" })}
            />
          ))}
        </div>
      )}
      <PinTable pins={view.pins} charts={charts} onRemove={(pin) => change({ pins: view.pins.filter((each) => each !== pin) })} />
      <SummaryTable charts={charts} zoomed={view.range !== null} />
    </>
  );
}

function NoCurves({ job, loading, error }: { job: JobTabProps["job"]; loading: boolean; error: unknown }) {
  if (error) return <Problems error={error} />;
  if (loading && job.started_at) return <Loading what="curves" />;
  return (
    <Message title="No points yet">
      {job.status === "queued" ? `${waitingText(job)}.` : hasEnded(job.status) ? "The job ended before its first step." : "They appear here as soon as the first step is done."}
    </Message>
  );
}

/** Pin a step, or take away a pin that is close to it. */
function togglePin(pins: readonly number[], step: number, [low, high]: Range): number[] {
  const near = pins.find((pin) => Math.abs(pin - step) <= (high - low) / 100);
  if (near !== undefined) return pins.filter((pin) => pin !== near);
  return [...pins, Math.round(step)].slice(-MAX_PINS);
}
