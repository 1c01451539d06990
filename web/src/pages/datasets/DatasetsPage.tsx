import { get } from "../../api/client";
import { useResource } from "../../api/resource";
import type { Dataset, DatasetPage } from "../../api/schema";
import { hasScope } from "../../api/session";
import { queryParameters, setQuery } from "../../shell/router";
import { Loading, Message, Problems } from "../../ui/Message";
import { Time } from "../../ui/Time";
import { formatBytes, formatNumber } from "../../ui/format";
import { DatasetStatus } from "./DatasetStatus";
import { UploadForm } from "./UploadForm";
import { UploadList } from "./UploadList";
import { sourceText } from "./columns";
import "./datasets.css";

const PAGE = 50;
const STATUSES = ["ready", "awaiting_content", "invalid"] as const;

export default function DatasetsPage() {
  const query = queryParameters.value;
  const status = query.getAll("status");
  const name = query.get("name") ?? "";
  const after = query.get("after") ?? "";
  const { data, error, reload } = useResource(
    (signal) => get<DatasetPage>("/v1/datasets", { limit: PAGE, status, name, after }, signal), [status, name, after], 5000,
  );
  const filtered = status.length > 0 || name !== "" || after !== "";
  return (
    <>
      <h1>Data sets</h1>
      {hasScope("write") && <UploadForm />}
      <UploadList />
      <Filters name={name} status={status} />
      {error !== undefined && <Problems error={error} retry={reload} />}
      {!data && error === undefined && <Loading what="data sets" />}
      {data?.items.length === 0 && <Empty filtered={filtered} />}
      {data && data.items.length > 0 && <DatasetTable items={data.items} />}
      {data && (after || data.has_more) && (
        <div class="row end">
          {after && <a class="button" href={pageHref("")}>Newest</a>}
          {data.has_more && <a class="button" href={pageHref(data.items.at(-1)!.id)}>Older</a>}
        </div>
      )}
    </>
  );
}

function Empty({ filtered }: { filtered: boolean }) {
  if (!filtered) return <Message title="No data sets yet">Upload a file, or name one of the built-in ones in a job.</Message>;
  return <Message title="No data set is like that"><a href="/datasets">Show all</a></Message>;
}

function pageHref(after: string): string {
  const parameters = new URLSearchParams(queryParameters.value);
  parameters.delete("after");
  if (after) parameters.set("after", after);
  return `/datasets${parameters.size ? `?${parameters}` : ""}`;
}

function Filters({ name, status }: { name: string; status: string[] }) {
  return (
    <form class="row datasets-filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <label>
        <span class="visually-hidden">Exact name</span>
        <input type="search" placeholder="Exact name" value={name} onChange={(event) => setQuery({ name: event.currentTarget.value.trim(), after: null })} />
      </label>
      {STATUSES.map((each) => (
        <button
          key={each} type="button" aria-pressed={status.includes(each)}
          onClick={() => setQuery({ status: status.includes(each) ? status.filter((one) => one !== each) : [...status, each], after: null })}
        >
          {each.replace("_", " ")}
        </button>
      ))}
    </form>
  );
}

function DatasetTable({ items }: { items: readonly Dataset[] }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Data sets">
      <table>
        <thead>
          <tr><th>Name</th><th>Status</th><th>Kind</th><th class="number">Rows</th><th class="number">Columns</th><th class="number">Size</th><th>Learns</th><th>Created</th></tr>
        </thead>
        <tbody>{items.map((each) => <DatasetLine key={each.id} dataset={each} />)}</tbody>
      </table>
    </div>
  );
}

function DatasetLine({ dataset }: { dataset: Dataset }) {
  const schema = dataset.data_schema;
  const rows = Object.values(schema?.rows ?? {}).reduce((sum, count) => sum + count, 0);
  return (
    <tr>
      <td><a href={`/datasets/${dataset.id}`}>{dataset.name}</a></td>
      <td><DatasetStatus dataset={dataset} /></td>
      <td>{sourceText(dataset.source)}</td>
      <td class="number">{schema ? formatNumber(rows) : "–"}</td>
      <td class="number">{schema ? formatNumber(schema.columns.length) : "–"}</td>
      <td class="number">{dataset.received ? formatBytes(dataset.received) : "–"}</td>
      <td>{schema?.target ?? "–"}</td>
      <td><Time at={dataset.created_at} /></td>
    </tr>
  );
}
