import { useState } from "preact/hooks";
import { formatNumber, formatPercent } from "../../../ui/format";
import { linePath, Plot } from "./Plot";
import { precisionPoints, rocPoints, type Calibration, type Curve } from "./report";

const LINES = 8;
const UNIT = { from: 0, to: 1 };

/** Whether probabilities are what they say: the share of hits beside the mean confidence, bin by bin. */
export function CalibrationPlot({ calibration }: { calibration: Calibration }) {
  const { bins, error } = calibration;
  const most = Math.max(1, ...bins.map((bin) => bin.count));
  const filled = bins.flatMap((bin, index) => (bin.count ? [{ ...bin, index }] : []));
  const described = filled.map((bin) => `confidence ${formatNumber(bin.confidence!, 2)}: ${formatPercent(bin.share!, 0)} true of ${bin.count}`).join("; ");
  return (
    <Plot title={`Calibration: expected error ${formatPercent(error)}`} description={described} x={{ label: "mean confidence of a bin", ...UNIT }} y={{ label: "share that is true", ...UNIT }}>
      {(scale) => (
        <>
          {filled.map((bin) => (
            <rect key={bin.index} class="count" x={scale.x(bin.index / bins.length) + 1} width={scale.x(1 / bins.length) - scale.x(0) - 2} y={scale.y((0.25 * bin.count) / most)} height={scale.y(0) - scale.y((0.25 * bin.count) / most)} />
          ))}
          <path class="diagonal" d={linePath([[0, 0], [1, 1]], scale)} />
          <path class="line series-1" d={linePath(filled.map((bin) => [bin.confidence!, bin.share!]), scale)} />
          {filled.map((bin) => (
            <circle key={bin.index} class="point series-1" cx={scale.x(bin.confidence!)} cy={scale.y(bin.share!)} r="4">
              <title>{`confidence ${formatNumber(bin.confidence!, 3)}, true ${formatPercent(bin.share!)}, ${formatNumber(bin.count)} predictions`}</title>
            </circle>
          ))}
        </>
      )}
    </Plot>
  );
}

/** ROC, and precision over recall, of the chosen classes. */
export function CurvePlots({ curves }: { curves: readonly Curve[] }) {
  const [only, setOnly] = useState("");
  const shown = only === "" ? curves.slice(0, LINES) : curves.filter((_, index) => String(index) === only);
  const described = (field: "auroc" | "average_precision") => shown.map((curve) => `${curve.label}: ${figure(curve[field])}`).join("; ");
  return (
    <>
      <Plot title="ROC" description={`Area under the curve. ${described("auroc")}`} x={{ label: "false positive rate", ...UNIT }} y={{ label: "true positive rate", ...UNIT }}>
        {(scale) => <><path class="diagonal" d={linePath([[0, 0], [1, 1]], scale)} />{shown.map((curve, index) => <path key={index} class={`line series-${index + 1}`} d={linePath(rocPoints(curve), scale)} />)}</>}
      </Plot>
      <Plot title="Precision and recall" description={`Average precision. ${described("average_precision")}`} x={{ label: "recall", ...UNIT }} y={{ label: "precision", ...UNIT }}>
        {(scale) => shown.map((curve, index) => <path key={index} class={`line series-${index + 1}`} d={linePath(precisionPoints(curve), scale)} />)}
      </Plot>
      <div class="evaluation-legend">
        {curves.length > 1 && (
          <label>
            Curves of{" "}
            <select value={only} onChange={(event) => setOnly(event.currentTarget.value)}>
              <option value="">{curves.length > LINES ? `the first ${LINES}` : "all"}</option>
              {curves.map((curve, index) => <option key={index} value={String(index)}>{curve.label}</option>)}
            </select>
          </label>
        )}
        <table>
          <thead><tr><th>Curve</th><th class="number">AUROC</th><th class="number">Average precision</th></tr></thead>
          <tbody>
            {shown.map((curve, index) => (
              <tr key={index}>
                <td><svg class="evaluation-key" viewBox="0 0 28 8" aria-hidden="true"><path class={`line series-${index + 1}`} d="M0 4L28 4" /></svg> {curve.label}</td>
                <td class="number">{figure(curve.auroc)}</td><td class="number">{figure(curve.average_precision)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

const figure = (value: number | null): string => (value === null ? "–" : value.toFixed(4));
