import { signal } from "@preact/signals";
import { get } from "../api/client";
import { ApiError } from "../api/problem";
import type { Curves } from "../api/schema";
import type { JobEvent } from "../api/stream";
import { pageVisible } from "../api/visibility";
import type { Range } from "../charts/ranges";
import { applyEvents, bucketsFrom, type LiveSeries } from "./live";

export interface CurveRequest {
  names: readonly string[] | null; // null: all that the job has
  x: "step" | "elapsed" | "time";
  range: Range | null;
  smooth: number;
}

const MAX_POINTS = 1500;
const REFRESH_MS = 1000;
const RETRY_MS = 3000;
const NAMES_LENGTH = 3500; // of one request; the API reads 4,000 characters

/** The curves of one job for one request: loaded, then kept up to date by events, or read again where those do not tell enough. */
export class CurveLoader {
  readonly version = signal(0); // grows when something has changed
  series = new Map<string, LiveSeries>();
  error: unknown = null;
  loading = true;
  private request: CurveRequest | null = null;
  private controller: AbortController | null = null;
  private waiting: JobEvent[] = []; // that came while an answer was under way
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly jobId: string) {}

  ask(request: CurveRequest): void {
    if (JSON.stringify(request) === JSON.stringify(this.request)) return;
    this.request = request;
    void this.load();
  }

  /** Events after the ones that the page began with, in their order. */
  receive(events: readonly JobEvent[]): void {
    const own = events.filter(({ kind }) => kind === "metrics" || kind === "rewound");
    if (!own.length || !this.request) return;
    if (this.controller) this.waiting.push(...own);
    else this.apply(own);
  }

  /** Read everything again, soon: several wishes become one request. */
  refresh(delay = REFRESH_MS): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      if (pageVisible.value) void this.load();
    }, delay);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.controller?.abort();
    this.request = null;
  }

  private apply(events: readonly JobEvent[]): void {
    const { names, x, range, smooth } = this.request!;
    const whole = x === "step" && range === null;
    const exact = whole && applyEvents(this.series, events, names && new Set(names), smooth);
    if (!exact && (whole || events.some((event) => mayShow(event, x, range)))) this.refresh();
    if (whole) this.version.value++;
  }

  private async load(): Promise<void> {
    const request = this.request;
    if (!request) return;
    this.controller?.abort();
    const controller = new AbortController();
    this.controller = controller;
    this.loading = true;
    this.version.value++;
    try {
      const series = await readSeries(this.jobId, request, controller.signal);
      if (controller.signal.aborted) return;
      [this.series, this.error] = [series, null];
    } catch (error) {
      if (controller.signal.aborted) return;
      this.error = error;
      if (!(error instanceof ApiError) || error.offline || error.status >= 500 || error.status === 429) this.refresh(RETRY_MS);
    }
    this.loading = false;
    this.controller = null;
    const waiting = this.waiting.splice(0);
    if (waiting.length) this.apply(waiting);
    this.version.value++;
  }
}

/** Whether an event may change what is shown of a part of the x axis. */
function mayShow({ kind, data }: JobEvent, x: CurveRequest["x"], range: Range | null): boolean {
  if (kind === "rewound" || range === null || x !== "step") return true;
  const step = (data["progress"] as { step?: number } | null)?.step;
  const first = Object.values((data["points"] as Record<string, { step: number[] }> | undefined) ?? {}).map((points) => points.step[0] ?? Infinity);
  return step === undefined || (step >= range[0] && (first.length === 0 || Math.min(...first) <= range[1]));
}

async function readSeries(jobId: string, request: CurveRequest, signal: AbortSignal): Promise<Map<string, LiveSeries>> {
  const parts = partsOf(request.names);
  const read = (smooth: number) => Promise.all(parts.map((names) => readCurves(jobId, names, request, smooth, signal)));
  const [raw, smooth] = await Promise.all([read(0), request.smooth ? read(request.smooth) : []]);
  const averages = Object.assign({}, ...smooth.map(({ series }) => series)) as Curves["series"];
  const result = new Map<string, LiveSeries>();
  for (const { series } of raw)
    for (const [name, columns] of Object.entries(series)) {
      const average = averages[name];
      result.set(name, { raw: bucketsFrom(columns), smooth: average ? bucketsFrom(average) : null });
    }
  return result;
}

function readCurves(jobId: string, names: string | null, { x, range }: CurveRequest, smooth: number, signal: AbortSignal): Promise<Curves> {
  const query = { names, x, from: range?.[0] ?? null, to: range?.[1] ?? null, max_points: range ? 2 * MAX_POINTS : MAX_POINTS, smooth: smooth || null };
  return get<Curves>(`/v1/jobs/${jobId}/metrics`, query, signal);
}

/** Names in runs that fit into an address. */
function partsOf(names: readonly string[] | null): (string | null)[] {
  if (names === null) return [null];
  const parts: string[] = [];
  for (const name of names) {
    const last = parts.at(-1);
    if (last !== undefined && last.length + name.length < NAMES_LENGTH) parts[parts.length - 1] = `${last},${name}`;
    else parts.push(name);
  }
  return parts;
}
