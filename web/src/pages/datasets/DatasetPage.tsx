import { useEffect } from "preact/hooks";
import { get, remove } from "../../api/client";
import { useResource } from "../../api/resource";
import type { Dataset } from "../../api/schema";
import { hasScope } from "../../api/session";
import type { PageProps } from "../../shell/routes";
import { navigate } from "../../shell/router";
import { ConfirmButton } from "../../ui/ConfirmButton";
import { CopyButton } from "../../ui/CopyButton";
import { Loading, Message, Problems } from "../../ui/Message";
import { Time } from "../../ui/Time";
import { formatBytes, formatNumber } from "../../ui/format";
import { ApiError } from "../../api/problem";
import { ColumnTable } from "./ColumnTable";
import { ContentPanel } from "./ContentPanel";
import { DatasetStatus } from "./DatasetStatus";
import { PreviewTable } from "./PreviewTable";
import { ProposePanel } from "./ProposePanel";
import { sourceText } from "./columns";
import { forgetFile, forgetUpload, uploads } from "./uploads";
import "./datasets.css";

export default function DatasetPage({ parameters }: PageProps) {
  const id = parameters["id"]!;
  return <OneDataset key={id} id={id} />;
}

function OneDataset({ id }: { id: string }) {
  const own = uploads.value.find((each) => each.id === id);
  const { data, error, reload } = useResource((signal) => get<Dataset>(`/v1/datasets/${id}`, {}, signal), [id]);
  const awaits = data !== undefined && data.status !== "ready";
  useEffect(() => reload(), [own?.phase]);
  useEffect(() => {
    if (!awaits || own) return;
    const timer = setInterval(reload, 3000); // another window or program may send the content
    return () => clearInterval(timer);
  }, [awaits, own === undefined]);
  useEffect(() => {
    if (data) document.title = `${data.name} · Data set · Graftwerk`;
  }, [data?.name]);
  if (!data) return error === undefined ? <Loading what="the data set" /> : <NotThere error={error} retry={reload} />;
  return (
    <>
      <DatasetHeader dataset={data} />
      {error !== undefined && <Problems error={error} retry={reload} />}
      {data.status !== "ready" && <ContentPanel dataset={data} upload={own} />}
      {data.data_schema && <ReadyDataset dataset={data} />}
      {data.status === "ready" && !data.data_schema && (
        <p class="muted">It comes with the service ({sourceText(data.source)}), and is described by the jobs that use it.</p>
      )}
    </>
  );
}

function NotThere({ error, retry }: { error: unknown; retry: () => void }) {
  if (!(error instanceof ApiError) || error.status !== 404) return <Problems error={error} retry={retry} />;
  return <Message page title="There is no such data set"><a href="/datasets">All data sets</a></Message>;
}

function DatasetHeader({ dataset }: { dataset: Dataset }) {
  const content = dataset.status === "ready" && dataset.source["kind"] === "upload";
  const destroy = async () => {
    await remove(`/v1/datasets/${dataset.id}`);
    forgetUpload(dataset.id);
    forgetFile(dataset.id);
    navigate("/datasets");
  };
  return (
    <>
      <p class="datasets-up"><a href="/datasets">Data sets</a></p>
      <div class="row spread">
        <h1 class="grow">{dataset.name}</h1>
        <DatasetStatus dataset={dataset} />
        {content && <a class="button" href={`/v1/datasets/${dataset.id}/content`} download="">Download</a>}
        {hasScope("write") && (
          <ConfirmButton label="Delete" question={`Delete the data set “${dataset.name}”?`} onConfirm={destroy}>
            <p>It cannot be brought back. Jobs that have ended keep their figures, and predict from their own files. A data set that an unfinished job needs is not deleted.</p>
          </ConfirmButton>
        )}
      </div>
      <dl class="datasets-facts">
        <dt>Id</dt><dd><code>{dataset.id}</code> <CopyButton text={dataset.id} /></dd>
        <dt>Kind</dt><dd>{sourceText(dataset.source)}{decidedText(dataset)}</dd>
        {dataset.data_schema && <><dt>Rows</dt><dd>{rowsText(dataset.data_schema.rows)}</dd></>}
        {dataset.received > 0 && <><dt>{dataset.status === "ready" ? "Size" : "Received"}</dt><dd>{formatBytes(dataset.received)}</dd></>}
        {dataset.sha256 && <><dt>SHA-256</dt><dd><code class="datasets-digest">{dataset.sha256}</code></dd></>}
        <dt>Created</dt><dd><Time at={dataset.created_at} /></dd>
      </dl>
    </>
  );
}

function decidedText({ source }: Dataset): string {
  const texts: Record<string, string> = { user: ", as you said", name: ", by its name", content: ", by its content" };
  return texts[String(source["decided_by"])] ?? "";
}

const rowsText = (rows: Record<string, number>): string =>
  Object.entries(rows).map(([split, count]) => `${formatNumber(count)} ${split}`).join(", ");

function ReadyDataset({ dataset }: { dataset: Dataset }) {
  const schema = dataset.data_schema!;
  return (
    <>
      {(schema.warnings ?? []).map((warning) => (
        <div class="notice warning" key={warning.pointer + warning.code}>
          <p>{warning.detail}</p>
          {warning.hint && <p class="hint">{warning.hint}</p>}
        </div>
      ))}
      <ProposePanel dataset={dataset} />
      <ColumnTable schema={schema} />
      {dataset.preview && dataset.preview.length > 0 && <PreviewTable rows={dataset.preview} schema={schema} />}
    </>
  );
}
