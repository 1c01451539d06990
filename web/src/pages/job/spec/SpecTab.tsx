import { useState } from "preact/hooks";
import { get } from "../../../api/client";
import { useResource } from "../../../api/resource";
import type { EditDetail, EditPage } from "../../../api/schema";
import { queryParameters, setQuery } from "../../../shell/router";
import { CopyButton } from "../../../ui/CopyButton";
import { Loading, Problems } from "../../../ui/Message";
import type { JobTabProps } from "../tabs";
import { linesOfJson, type JsonLine } from "./json";
import "./spec.css";

/** What the job was told to do, and what edits have made of it. */
export default function SpecTab({ job }: JobTabProps) {
  const revision = Number(queryParameters.value.get("revision")) || job.revision;
  const at = queryParameters.value.get("at");
  const { data: spec, error, reload } = useResource((signal) => readSpec(job.id, job.spec, revision, signal), [job.id, revision]);
  return (
    <>
      <div class="row spread">
        <div class="row">
          {job.revision > 1 && (
            <label>
              Revision{" "}
              <select value={revision} onChange={(event) => setQuery({ revision: event.currentTarget.value === String(job.revision) ? null : event.currentTarget.value })}>
                {Array.from({ length: job.revision }, (_, index) => (
                  <option key={index} value={index + 1}>{index + 1}{index === 0 ? " (as it was sent)" : index + 1 === job.revision ? " (the current one)" : ""}</option>
                ))}
              </select>
            </label>
          )}
          {job.revision === 1 && <span class="muted">As it was sent, with shorthands written out.</span>}
        </div>
        <div class="row">
          {spec !== undefined && <CopyButton text={JSON.stringify(spec, null, 2)} label="Copy the spec" />}
          <a class="button" href={`/jobs/new?from=${job.id}`}>Duplicate in the editor</a>
        </div>
      </div>
      {spec !== undefined ? <SpecText spec={spec} at={at} /> : error !== undefined ? <Problems error={error} retry={reload} /> : <Loading what="the spec" />}
    </>
  );
}

/** The spec of a revision: that of the edit or rollback which made it. */
async function readSpec(jobId: string, first: unknown, revision: number, signal: AbortSignal): Promise<unknown> {
  if (revision === 1) return first;
  for (let after = 0; ; ) {
    const page = await get<EditPage>(`/v1/jobs/${jobId}/edits`, { after, limit: 100 }, signal);
    const maker = page.items.find((edit) => edit.revision === revision);
    if (maker) return (await get<EditDetail>(`/v1/jobs/${jobId}/edits/${maker.id}`, {}, signal)).spec;
    if (!page.has_more) throw new Error(`there is no revision ${revision}`);
    after = page.items.at(-1)!.id;
  }
}

function SpecText({ spec, at }: { spec: unknown; at: string | null }) {
  const lines = linesOfJson(spec);
  const [search, setSearch] = useState("");
  const found = search ? lines.filter(({ text }) => text.toLowerCase().includes(search.toLowerCase())).length : 0;
  return (
    <>
      <label class="spec-search">
        <span class="visually-hidden">Search in the spec</span>
        <input type="search" placeholder="Search" value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
        {search && <span class="muted" role="status"> {found} lines</span>}
      </label>
      <pre class="spec-text" tabIndex={0} role="region" aria-label="Spec">
        {lines.map((line, index) => <SpecLine key={index} line={line} at={at} search={search} />)}
      </pre>
    </>
  );
}

function SpecLine({ line, at, search }: { line: JsonLine; at: string | null; search: string }) {
  const pointed = at !== null && (line.pointer === at || (at !== "" && line.pointer.startsWith(`${at}/`)));
  const hit = search !== "" && line.text.toLowerCase().includes(search.toLowerCase());
  const first = at !== null && line.pointer === at && line.opens;
  return (
    <span class={`spec-line${pointed ? " pointed" : ""}${hit ? " hit" : ""}`} ref={first ? (element) => element?.scrollIntoView({ block: "center" }) : undefined}>
      {line.parts.map((part, index) => (part.kind ? <span key={index} class={`spec-${part.kind}`}>{part.text}</span> : part.text))}
      {"\n"}
    </span>
  );
}
