import { formatNumber } from "../../../ui/format";
import type { Charts } from "./charts";
import { at, type Summary } from "./tables";

/** Last, least and largest value of every line; the better one of the two stands out. */
export function SummaryTable({ charts, zoomed }: { charts: Charts; zoomed: boolean }) {
  const { summaries } = charts;
  if (!summaries.length) return null;
  const cell = (each: Summary, which: "min" | "max") => {
    const text = which === "min" ? at(each.min, each.minStep) : at(each.max, each.maxStep);
    return <td class="number">{each.best === which ? <strong title="the best value">{text} ★</strong> : text}</td>;
  };
  return (
    <section>
      <h2>Best and last{zoomed && " (of what is loaded around the shown range)"}</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Best and last values">
        <table>
          <thead>
            <tr><th scope="col">Series</th><th scope="col" class="number">Last</th><th scope="col" class="number">Min @ step</th><th scope="col" class="number">Max @ step</th><th scope="col" class="number">Points</th></tr>
          </thead>
          <tbody>
            {summaries.map((each) => (
              <tr key={each.line.id}>
                <th scope="row">{each.line.label}</th>
                <td class="number">{at(each.last, each.lastStep)}</td>
                {cell(each, "min")}
                {cell(each, "max")}
                <td class="number">{formatNumber(each.points)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {summaries.some(({ line }) => line.width > 1) && <p class="hint">Where a place holds several points, the step is that of the last of them.</p>}
      </div>
    </section>
  );
}
