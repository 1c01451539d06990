import { formatNumber, formatPercent } from "../../../ui/format";
import { ClassTable } from "./ClassTable";
import { ConfusionMatrix } from "./ConfusionMatrix";
import { Residuals } from "./Residuals";
import { CalibrationPlot, CurvePlots } from "./ScorePlots";
import { WorstExamples } from "./WorstExamples";
import type { Head } from "./report";

const WHAT: Record<Head["about"], string> = {
  classes: "one of several classes", decisions: "yes or no", tags: "a tag for every token", labels: "several labels at once", numbers: "numbers",
};

/** All that a report says of one output. */
export function HeadReport({ head }: { head: Head }) {
  return (
    <article class="panel evaluation-head">
      <h2>{head.head ? `${head.head}: ` : ""}{head.target} <span class="muted evaluation-what">{WHAT[head.about]}</span></h2>
      {head.right !== undefined && (
        <p><strong>{formatPercent(head.count ? head.right / head.count : 0, 2)}</strong> right: {formatNumber(head.right)} of {formatNumber(head.count)}{head.about === "tags" ? " tokens" : head.about === "labels" ? " examples (all labels of an example)" : ""}.</p>
      )}
      {head.notes.map((note) => <p class="notice" key={note}>{note}</p>)}
      {head.about === "numbers" ? <Residuals head={head} /> : <ClassReport head={head} />}
      <WorstExamples head={head} />
    </article>
  );
}

function ClassReport({ head }: { head: Head }) {
  const { classes, labels, confusion, curves, calibration, spans } = head;
  const rows = classes ?? labels;
  return (
    <>
      {spans && <ClassTable title="Entities" rows={spans.types} averages={spans.averages} />}
      {rows && <ClassTable title={head.about === "labels" ? "Labels" : head.about === "tags" ? "Tags" : "Classes"} rows={rows} averages={head.averages} />}
      {classes && confusion && <ConfusionMatrix labels={classes.map((row) => row.label)} counts={confusion} />}
      {(calibration || (curves && curves.length > 0)) && (
        <section>
          <h3>What the probabilities are worth</h3>
          <div class="evaluation-plots">
            {calibration && <CalibrationPlot calibration={calibration} />}
            {curves && curves.length > 0 && <CurvePlots curves={curves} />}
          </div>
        </section>
      )}
    </>
  );
}
