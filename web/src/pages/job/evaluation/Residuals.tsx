import { useState } from "preact/hooks";
import { formatNumber, formatPercent } from "../../../ui/format";
import { linePath, Plot } from "./Plot";
import type { ErrorSummary, Head } from "./report";
import { rangeOf } from "./ticks";

/** The errors of predicted numbers: against the targets, as a histogram, and in figures. */
export function Residuals({ head }: { head: Head }) {
  if (!head.error) return <p class="muted">There is nothing to compare with.</p>;
  return (
    <>
      <ErrorFigures count={head.count} error={head.error} />
      <div class="evaluation-plots">
        {head.points && head.points.target.length > 0 && <PointPlot target={head.points.target} predicted={head.points.predicted} count={head.count} />}
        {head.error.histogram && <ErrorHistogram histogram={head.error.histogram} />}
      </div>
    </>
  );
}

const figure = (value: number | null): string => (value === null ? "no number" : formatNumber(value));

function ErrorFigures({ count, error }: { count: number; error: ErrorSummary }) {
  return (
    <dl class="evaluation-figures">
      <dt>Numbers</dt><dd>{formatNumber(count)}</dd>
      <dt>Mean error</dt><dd>{figure(error.mean)}</dd>
      <dt>Mean absolute error</dt><dd>{figure(error.mean_absolute)}</dd>
      <dt>Root mean squared error</dt><dd>{figure(error.root_mean_squared)}</dd>
      <dt>Quantiles</dt>
      <dd>{error.quantiles.map(({ share, error: value }) => <span class="tag" key={share}>{formatPercent(share, 0)}: {figure(value)}</span>)}</dd>
    </dl>
  );
}

function PointPlot({ target, predicted, count }: { target: (number | null)[]; predicted: (number | null)[]; count: number }) {
  const [asErrors, setAsErrors] = useState(false);
  const points = target.flatMap((truth, index) => {
    const said = predicted[index] ?? null;
    return truth === null || said === null ? [] : [[truth, asErrors ? said - truth : said] as const];
  });
  const x = rangeOf(points.map(([value]) => value));
  const y = asErrors ? rangeOf(points.map(([, value]) => value)) : rangeOf(points.flat());
  const many = count > points.length ? `${formatNumber(points.length)} of ${formatNumber(count)}` : formatNumber(count);
  return (
    <div>
      <Plot title={asErrors ? "Errors" : "Predicted and true"} description={`${many} points; a perfect network has them on the line`} x={{ label: "true value", ...x }} y={{ label: asErrors ? "predicted − true" : "predicted value", ...y }}>
        {(scale) => (
          <>
            <path class="diagonal" d={linePath(asErrors ? [[x.from, 0], [x.to, 0]] : [[Math.max(x.from, y.from), Math.max(x.from, y.from)], [Math.min(x.to, y.to), Math.min(x.to, y.to)]], scale)} />
            {points.map(([a, b], index) => <circle key={index} class="dot series-1" cx={scale.x(a).toFixed(1)} cy={scale.y(b).toFixed(1)} r="2.5" />)}
          </>
        )}
      </Plot>
      <div class="row"><button type="button" aria-pressed={asErrors} onClick={() => setAsErrors(!asErrors)}>Errors instead</button> <span class="hint">{many} points</span></div>
    </div>
  );
}

function ErrorHistogram({ histogram: { edges, counts, below, above } }: { histogram: NonNullable<ErrorSummary["histogram"]> }) {
  const most = Math.max(1, ...counts);
  const x = { label: "predicted − true", from: edges[0]!, to: edges.at(-1)! };
  return (
    <div>
      <Plot title="How large the errors are" description={`Between the quantiles of 1 and 99 %; ${below} lie below, ${above} above`} x={x} y={{ label: "numbers", from: 0, to: most * 1.05 }}>
        {(scale) => (
          <>
            {counts.map((count, index) => {
              const [left, right] = [scale.x(edges[index]!), scale.x(edges[index + 1]!)];
              return (
                <rect key={index} class="bar series-1" x={left + 0.5} width={Math.max(0.5, right - left - 1)} y={scale.y(count)} height={scale.y(0) - scale.y(count)}>
                  <title>{`${formatNumber(edges[index]!)} to ${formatNumber(edges[index + 1]!)}: ${formatNumber(count)}`}</title>
                </rect>
              );
            })}
            {x.from < 0 && x.to > 0 && <path class="diagonal" d={linePath([[0, 0], [0, most]], scale)} />}
          </>
        )}
      </Plot>
      <p class="hint">{formatNumber(below)} lie below, {formatNumber(above)} above.</p>
    </div>
  );
}
