import { useSignal, type Signal } from "@preact/signals";
import { useRef, useState } from "preact/hooks";
import { get } from "../../api/client";
import { useResource } from "../../api/resource";
import type { Job } from "../../api/schema";
import { withSurroundings, type Range } from "../../charts/ranges";
import { scaleFor } from "../../charts/scales";
import { ChartPanel } from "../../curves/ChartPanel";
import { JobSearch } from "../../curves/JobSearch";
import { groupNames, shownGroups } from "../../curves/names";
import { Check, Toolbar } from "../../curves/Toolbar";
import { useLoaders, usePolling } from "../../curves/useLoaders";
import { AXES, parseView, viewChanges, type View } from "../../curves/view";
import { queryParameters, setQuery } from "../../shell/router";
import { Dialog } from "../../ui/Dialog";
import { Loading, Message, Problems } from "../../ui/Message";
import { factorOf } from "../../curves/axes";
import { MetricPicker } from "../../curves/MetricPicker";
import { hasEnded, progressOf } from "../../curves/progress";
import { ComparedJobs } from "./ComparedJobs";
import { comparedCharts, type ComparedChart } from "./comparison";
import { differences, seedGroups } from "./differences";
import { SaveComparison } from "./SaveComparison";
import "./compare.css";

const LIVE_MS = 10_000;

export default function ComparePage() {
  const ids = [...new Set(queryParameters.value.getAll("job"))];
  const { data, error, reload } = useResource((signal) => readJobs(ids, signal), [ids], LIVE_MS);
  const previous = useRef<ReadJobs | null>(null);
  if (data) previous.current = data;
  const known = data ?? previous.current; // while one more is read, those that are known stay
  if (!ids.length) {
    return (
      <>
        <h1>Comparison</h1>
        <Message title="Nothing to compare yet">
          <p>Choose jobs, here or in the list of jobs.</p>
          <AddJobs ids={ids} />
        </Message>
      </>
    );
  }
  if (!known) return error ? <Problems error={error} retry={reload} /> : <Loading what="jobs" />;
  return <Comparison jobs={known.jobs.filter(({ id }) => ids.includes(id))} missing={known.missing.filter((id) => ids.includes(id))} ids={ids} />;
}

interface ReadJobs {
  jobs: Job[];
  missing: string[];
}

async function readJobs(ids: readonly string[], signal: AbortSignal): Promise<ReadJobs> {
  const missing: string[] = [];
  const read = async (id: string) =>
    get<Job>(`/v1/jobs/${id}`, {}, signal).catch((error: { status?: number }) => {
      if (error.status !== 404 && error.status !== 422) throw error;
      missing.push(id);
      return null;
    });
  return { jobs: (await Promise.all(ids.map(read))).filter((job) => job !== null), missing };
}

function Comparison({ jobs, missing, ids }: { jobs: readonly Job[]; missing: readonly string[]; ids: readonly string[] }) {
  const query = queryParameters.value;
  const view = parseView(query);
  const [moving, setMoving] = useState<Range | null>(null);
  const change = (changes: Partial<View>) => setQuery(viewChanges(changes));
  const whole = useRef<Range | null>(null);
  const cursor = useSignal<number | null>(null);
  const found = differences(jobs.map(({ spec }) => spec as Record<string, unknown>));
  const colorBy = query.get("color") ?? "";
  const repeated = seedGroups(jobs.length, found).some((members) => members.length > 1);
  const means = repeated && query.get("means") === "1";
  const hidden = query.getAll("hide");

  const names = [...new Set(jobs.flatMap(({ progress }) => Object.keys(progressOf(progress).latest)))];
  const groups = groupNames(names, query.get("apart") !== "0");
  const shown = shownGroups(groups, view.measures);
  const surroundings = view.range && withSurroundings(view.range, scaleFor(view.xLog ? "log" : "linear", 1));
  const loaders = useLoaders(jobs.map(({ id }) => id), (id) => {
    const factor = factorOf(view.x, jobs.find((job) => job.id === id)!);
    const own = new Set(Object.keys(progressOf(jobs.find((job) => job.id === id)!.progress).latest));
    const range = surroundings && (surroundings.map((x) => x / factor) as [number, number]);
    return { names: shown.flatMap((group) => group.names).filter((name) => own.has(name)), x: AXES[view.x].server, range, smooth: view.smooth };
  });
  usePolling(loaders, (id) => jobs.some((job) => job.id === id && !hasEnded(job.status)));
  const { charts, extent } = comparedCharts({ jobs, loaders, found, shown, view: { ...view, range: moving ?? view.range }, colorBy, means, hidden, whole });
  const setRange = (range: Range | null, settled: boolean) => {
    setMoving(settled ? null : range);
    if (settled) change({ range });
  };
  const failed = loaders.find((loader) => loader.error !== null);
  return (
    <>
      <div class="row spread">
        <h1>{jobs.length} jobs compared</h1>
        <div class="row"><AddJobs ids={ids} /><SaveComparison jobs={jobs} charts={charts} found={found} loaders={loaders} names={shown.flatMap((group) => group.names)} /></div>
      </div>
      {missing.length > 0 && <p class="notice warning">No longer there: {missing.join(", ")}</p>}
      <Toolbar view={view} axes={["step", "epoch", "examples", "elapsed", "time"]} change={change}>
        <label>
          Colour{" "}
          <select value={colorBy} onChange={(event) => setQuery({ color: event.currentTarget.value || null })}>
            <option value="">by job</option>
            {found.map(({ path }) => <option key={path} value={path}>{path}</option>)}
          </select>
        </label>
        {repeated && <Check label="Mean over seeds" checked={means} onChange={(on) => setQuery({ means: on ? "1" : null })} />}
        <MetricPicker groups={groups} shown={shown} view={{ ...view, apart: query.get("apart") !== "0" }} change={(changes) => (changes.apart === undefined ? change(changes) : setQuery({ apart: changes.apart ? null : "0", metric: null }))} />
      </Toolbar>
      {failed && <Problems error={failed.error} retry={() => failed.refresh(0)} />}
      <ComparedJobs jobs={jobs} loaders={loaders} found={found} colorBy={colorBy} hidden={hidden} names={shown.flatMap((group) => group.names)} ids={ids} />
      <Charts charts={charts} extent={extent} view={view} cursor={cursor} setRange={setRange} change={change} />
    </>
  );
}

interface ChartsProps {
  charts: readonly ComparedChart[];
  extent: Range;
  view: View;
  cursor: Signal<number | null>;
  setRange: (range: Range | null, settled: boolean) => void;
  change: (change: Partial<View>) => void;
}

function Charts({ charts, extent, view, cursor, setRange, change }: ChartsProps) {
  if (!charts.length) return <Message title="None of these jobs has points yet" />;
  return (
    <div class="curve-grid compare-charts">
      {charts.map(({ key, content, lines }) => (
        <ChartPanel
          key={key} content={content} lines={lines} hidden={[]} extent={extent} cursor={cursor} large={view.large === key}
          onRange={setRange} onPick={(x) => (cursor.value = x)} onToggle={hideLine} onLarge={(large) => change({ large: large ? key : "" })}
        />
      ))}
    </div>
  );
}

/** A button of a legend hides its job in all charts; the table above shows it again. */
function hideLine(id: string): void {
  const job = id.slice(0, id.indexOf(":"));
  if (job !== "mean") setQuery({ hide: [...queryParameters.value.getAll("hide"), job] });
}

function AddJobs({ ids }: { ids: readonly string[] }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>Add jobs</button>
      {open && (
        <Dialog title="Add jobs to the comparison" onClose={() => setOpen(false)}>
          <JobSearch chosen={ids} onChoose={(id) => setQuery({ job: [...ids, id] })} />
        </Dialog>
      )}
    </>
  );
}
