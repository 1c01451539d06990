import { useState } from "preact/hooks";
import { get } from "../../../api/client";
import { ApiError } from "../../../api/problem";
import { useResource } from "../../../api/resource";
import { Problems } from "../../../ui/Message";
import { formatNumber } from "../../../ui/format";
import { heatMap, HISTOGRAMS, statisticPath, type Histograms } from "./statistics";

type Kind = (typeof HISTOGRAMS)[number];

/** How a node's weights, gradients or activations were distributed over time: steps to the right, values upward. */
export function HistogramMap({ jobId, path, every }: { jobId: string; path: string; every: number | undefined }) {
  const [kind, setKind] = useState<Kind>("weights");
  const load = (signal: AbortSignal) => get<Histograms>(`/v1/jobs/${jobId}/statistics/histograms`, { node: statisticPath(path), quantity: kind, max_points: 60 }, signal);
  const { data, error } = useResource(load, [jobId, path, kind], every);
  if (error instanceof ApiError && error.status === 404) return null;
  return (
    <section>
      <div class="row spread">
        <h3>Distribution</h3>
        <select aria-label="Distribution of" value={kind} onChange={(event) => setKind(event.currentTarget.value as Kind)}>
          {HISTOGRAMS.map((each) => <option key={each} value={each}>{each}</option>)}
        </select>
      </div>
      {error !== undefined && !data && <Problems error={error} />}
      {data && (data.steps.length ? <HeatMap histograms={data} kind={kind} /> : <p class="muted">No histograms of its {kind}.</p>)}
    </section>
  );
}

const WIDTH = 250;
const HEIGHT = 130;

function HeatMap({ histograms, kind }: { histograms: Histograms; kind: string }) {
  const { edges, rows } = heatMap(histograms);
  const [w, h] = [WIDTH / rows.length, HEIGHT / (edges.length - 1)];
  const zero = edges.findIndex((edge) => edge >= 0);
  const first = histograms.steps[0]!;
  const last = histograms.steps.at(-1)!;
  const [low, high] = [formatNumber(edges[0]!, 3), formatNumber(edges.at(-1)!, 3)];
  return (
    <figure class="inside-map">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" preserveAspectRatio="none" aria-label={`Distribution of the ${kind} from step ${first} to ${last}, between ${low} and ${high}`}>
        {rows.flatMap((row, column) =>
          row.map((share, bin) => share > 0 && (
            <rect key={`${column} ${bin}`} x={column * w} y={HEIGHT - (bin + 1) * h} width={w + 0.3} height={h + 0.3} fill-opacity={(0.12 + 0.88 * share).toFixed(2)}>
              <title>{`step ${histograms.steps[column]}: ${formatNumber(edges[bin]!, 3)} to ${formatNumber(edges[bin + 1]!, 3)}`}</title>
            </rect>
          )),
        )}
        {zero > 0 && <path d={`M0 ${HEIGHT - (zero - 0.5) * h}H${WIDTH}`} />}
      </svg>
      <div class="inside-range muted"><span>step {first.toLocaleString("en")}</span><span>{low} to {high}; line: 0</span><span>{last.toLocaleString("en")}</span></div>
    </figure>
  );
}
