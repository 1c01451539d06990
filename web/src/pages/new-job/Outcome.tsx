import type { Report } from "../../api/schema";
import { formatBytes, formatDuration, formatNumber } from "../../ui/format";
import { figuresOf } from "./plan";

/** What the service makes of the spec: figures, rows, and what becomes of each column. */
export function Outcome({ report, seconds }: { report: Report; seconds: number | null }) {
  const { parameters, trainable, flops, memory, rows, steps } = figuresOf(report);
  const parts = Object.entries(memory).filter(([name, bytes]) => name !== "total" && name !== "batch_size" && bytes > 0);
  return (
    <>
      <dl class="new-job-figures">
        <Figure name="Parameters" value={parameters} note={trainable !== null && trainable !== parameters ? `${formatNumber(trainable)} trainable` : ""} />
        <Figure name="Operations" value={flops} note="for one example" />
        <Figure name="Steps" value={steps} note={Object.entries(rows).map(([name, count]) => `${name} ${formatNumber(count)} rows`).join(", ")} />
        {memory["total"] !== undefined && (
          <>
            <dt>Memory</dt>
            <dd>about {formatBytes(memory["total"])} <span class="muted">{parts.map(([name, bytes]) => `${name} ${formatBytes(bytes)}`).join(", ")}</span></dd>
          </>
        )}
        {seconds !== null && (
          <>
            <dt>Time</dt>
            <dd>{formatDuration(seconds)} <span class="muted">took the job that this is a copy of</span></dd>
          </>
        )}
        <dt>Queue</dt>
        <dd>{report.queue}</dd>
      </dl>
      <Columns report={report} />
    </>
  );
}

function Figure({ name, value, note }: { name: string; value: number | null; note: string }) {
  if (value === null) return null;
  return (
    <>
      <dt>{name}</dt>
      <dd>{value.toLocaleString("en")} <span class="muted">{note}</span></dd>
    </>
  );
}

function Columns({ report }: { report: Report }) {
  const schemas = new Map(report.data_schema.columns.map((column) => [column.name, column]));
  if (report.columns.length === 0) return null;
  return (
    <details>
      <summary>{report.columns.length} {report.columns.length === 1 ? "column" : "columns"} of data</summary>
      <div class="scroll" tabIndex={0} role="region" aria-label="Columns of the data">
        <table>
          <thead>
            <tr><th scope="col">Column</th><th scope="col">Type</th><th scope="col">Shape</th><th scope="col">Role</th><th scope="col">Becomes</th></tr>
          </thead>
          <tbody>
            {report.columns.map((role) => {
              const column = schemas.get(role.column);
              return (
                <tr key={role.column}>
                  <td>{role.column}</td>
                  <td>{role.type}</td>
                  <td>{column ? `(${["N", ...(column.shape ?? [])].join(", ")})` : ""}{column?.classes ? `, ${column.classes} classes` : ""}</td>
                  <td>{role.role}</td>
                  <td>{role.kind ?? role.reason ?? ""}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </details>
  );
}
