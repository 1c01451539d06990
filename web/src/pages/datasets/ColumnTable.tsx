import { useState } from "preact/hooks";
import type { Column, DataSchema } from "../../api/schema";
import { Histogram, WordBars } from "../../ui/Histogram";
import { formatNumber, formatPercent } from "../../ui/format";
import { chartOf, defaultRole, tensorText } from "./columns";

const SHOWN = 100;

/** The columns of a data set: what they are, how a network sees them, and what is in them. */
export function ColumnTable({ schema }: { schema: DataSchema }) {
  const [search, setSearch] = useState("");
  const [limit, setLimit] = useState(SHOWN);
  const found = schema.columns.filter((column) => column.name.toLowerCase().includes(search.toLowerCase()));
  const [split = "train", rows = 0] = Object.entries(schema.rows)[0] ?? [];
  return (
    <section>
      <div class="row spread">
        <h2>{formatNumber(schema.columns.length)} columns</h2>
        {schema.columns.length > 10 && (
          <label><span class="visually-hidden">Find a column</span><input type="search" placeholder="Find a column" value={search} onInput={(event) => setSearch(event.currentTarget.value)} /></label>
        )}
      </div>
      <p class="hint">Figures and histograms are of all {formatNumber(rows)} rows of {split}; labels are those of all rows.</p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Columns">
        <table class="datasets-columns">
          <thead><tr><th>Column</th><th>Type</th><th>Role</th><th>As a tensor</th><th>Values</th><th class="number">Missing</th></tr></thead>
          <tbody>{found.slice(0, limit).map((column) => <ColumnLine key={column.name} column={column} schema={schema} rows={rows} />)}</tbody>
        </table>
      </div>
      {found.length === 0 && <p class="muted">No column is called so.</p>}
      {found.length > limit && <button type="button" onClick={() => setLimit(limit + 500)}>Show more of {formatNumber(found.length)}</button>}
    </section>
  );
}

function ColumnLine({ column, schema, rows }: { column: Column; schema: DataSchema; rows: number }) {
  const role = defaultRole(column, schema);
  const details = [column.format && `written as ${column.format}`, column.unit && `in ${column.unit}`].filter(Boolean);
  return (
    <tr>
      <th scope="row" class="datasets-name">{column.name}</th>
      <td>{column.type}{details.length > 0 && <p class="hint">{details.join(", ")}</p>}</td>
      <td>{role === "target" ? <strong>target</strong> : role}{role === "target" && schema.guessed_target && <p class="hint">guessed: it is the last column</p>}</td>
      <td class="datasets-tensor">{tensorText(column, role)}</td>
      <td><ColumnValues column={column} rows={rows} /></td>
      <td class="number">{column.missing ? <>{formatNumber(column.missing)} <span class="hint">{formatPercent(column.missing / Math.max(1, rows))}</span></> : "–"}</td>
    </tr>
  );
}

function ColumnValues({ column, rows }: { column: Column; rows: number }) {
  const chart = chartOf(column);
  const counted = column.type === "category" ? rows - column.missing : 0;
  const more = (chart.words?.different ?? 0) - 4;
  return (
    <>
      {chart.histogram && <Histogram {...chart.histogram} />}
      {chart.words && <WordBars counts={chart.words.counts} total={counted} />}
      {more > 0 && <p class="hint">and {formatNumber(more)} more</p>}
      {chart.texts.map((text) => <p class="hint" key={text}>{text}</p>)}
      {!chart.words && column.labels && column.labels.length > 0 && (
        <p class="hint">labels: {column.labels.slice(0, 12).join(", ")}{column.labels.length > 12 && ` and ${column.labels.length - 12} more`}</p>
      )}
      {column.type === "image" && <p class="hint">{column.shape?.length === 3 ? `(${column.shape.join(", ")})` : "of unlike sizes"}</p>}
    </>
  );
}
