import type { DataSchema } from "../../api/schema";
import { DataValue } from "../../ui/DataValue";

type Row = Record<string, unknown>;

/** The first rows, as they are stored: pictures small, long values with their beginning. */
export function PreviewTable({ rows, schema }: { rows: readonly Row[]; schema: DataSchema }) {
  const names = Object.keys(rows[0] ?? {});
  const hidden = schema.columns.length - names.length;
  return (
    <section>
      <h2>First rows</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="First rows">
        <table class="datasets-preview">
          <thead><tr><th class="number">Row</th>{names.map((name) => <th key={name}>{name}{name === schema.target && " (target)"}</th>)}</tr></thead>
          <tbody>
            {rows.map((row, index) => (
              <tr key={index}>
                <td class="number">{index + 1}</td>
                {names.map((name) => <td key={name}><DataValue value={row[name]} name={`${name} of row ${index + 1}`} /></td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {hidden > 0 && <p class="hint">{hidden} more columns are not shown.</p>}
    </section>
  );
}
