import { useEffect, useMemo, useState } from "preact/hooks";
import { get, post } from "../../../api/client";
import { ApiError } from "../../../api/problem";
import { useResource } from "../../../api/resource";
import type { Catalog, DryRun, Edit } from "../../../api/schema";
import { allBoxes, boxesTo, buildTree } from "../../../graph/model/tree";
import { queryParameters, setQuery } from "../../../shell/router";
import { Loading, Message, Problems } from "../../../ui/Message";
import { toast } from "../../../ui/Toast";
import { readEdits, useRevision } from "../network/useRevisions";
import type { JobTabProps } from "../tabs";
import { documentOf, draftOf, type Draft } from "./draft";
import { DraftPanel } from "./DraftPanel";
import { DryRunResult } from "./DryRunResult";
import { EditList } from "./EditList";
import { OperationForm } from "./OperationForm";
import { Picture } from "./Picture";
import { RollbackPanel } from "./RollbackPanel";
import { OperationSchemas, type Json } from "./schemas";
import "../network/network.css";
import "./surgery.css";

const ENDED = new Set(["succeeded", "failed", "cancelled"]);

/** Live surgery: operations on the network and the plan, collected into one edit, tried, applied, and taken back. */
export default function SurgeryTab({ job, feed, reload }: JobTabProps) {
  const edits = useResource((signal) => readEdits(job.id, signal), [job.id, job.revision, job.status]);
  useEffect(() => feed.subscribe((events) => events.some((event) => event.kind.startsWith("edit_")) && edits.reload()), [feed, edits.reload]);
  const all = edits.data ?? [];
  const onChanged = () => {
    edits.reload();
    reload();
  };
  return (
    <div class="stack">
      {ENDED.has(job.status) ? <Ended jobId={job.id} /> : <Editing job={job} feed={feed} edits={all} onChanged={onChanged} />}
      <h2>Edits</h2>
      {edits.error !== undefined && !edits.data && <Problems error={edits.error} retry={edits.reload} />}
      <EditList jobId={job.id} edits={all} reload={onChanged} />
    </div>
  );
}

const Ended = ({ jobId }: { jobId: string }) => (
  <Message title="A job that has ended is not edited">
    <p>It is what it has become. <a href={`/jobs/new?fork=${jobId}`}>Fork it</a> to go on from one of its checkpoints with changes.</p>
  </Message>
);

interface EditingProps extends Pick<JobTabProps, "job" | "feed"> {
  edits: Edit[];
  onChanged: () => void;
}

function Editing({ job, feed, edits, onChanged }: EditingProps) {
  const catalog = useResource((signal) => get<Catalog>("/v1/catalog", {}, signal), ["catalog"]);
  const schemas = useMemo(() => catalog.data && new OperationSchemas(catalog.data), [catalog.data]);
  const made = edits.findLast((edit) => edit.revision === job.revision) ?? null;
  const { network, spec, error, reload } = useRevision(job, job.revision, made);
  const root = useMemo(() => network && buildTree(network), [network]);
  const nodes = useMemo(() => (root ? [...allBoxes(root)].filter((box) => box.node).map((box) => box.path) : []), [root]);
  const waiting = edits.filter((edit) => edit.state === "accepted").length;
  const draft = useDraft(job.id, job.revision + waiting, onChanged);
  const selected = queryParameters.value.get("node");
  if (!network || !schemas || !root) {
    const failed = error ?? catalog.error;
    return failed ? <Problems error={failed} retry={reload} /> : <Loading what="the network" />;
  }
  const box = selected ? boxesTo(root, selected).at(-1) : undefined;
  const { latest = {}, step = 0 } = job.progress as { latest?: Json; step?: number };
  return (
    <div class="network-split surgery">
      <Picture network={network} result={draft.result} label={`revision ${job.revision} of ${job.name}`} selected={selected} onSelect={(path) => setQuery({ node: path })} />
      <div class="stack">
        <OperationForm schemas={schemas} spec={spec} nodes={nodes} selected={box?.node ? { path: box.path, pointer: box.node.pointer } : null} onAdd={draft.add} />
        {draft.value && (
          <DraftPanel
            jobId={job.id} draft={draft.value} series={Object.keys(latest)} step={step} revision={job.revision} target={job.revision + waiting} error={draft.error} busy={draft.busy}
            onChange={draft.change} onTry={draft.try} onApply={draft.apply} onDiscard={draft.discard}
          >
            {draft.result && <DryRunResult result={draft.result} />}
          </DraftPanel>
        )}
        <RollbackPanel key={job.revision} job={job} feed={feed} waiting={waiting} onDone={onChanged} />
      </div>
    </div>
  );
}

/** The edit that is being put together, and what the service says of it. `target` is the revision that it would meet. */
function useDraft(jobId: string, target: number, onChanged: () => void) {
  const state = draftOf(jobId);
  const [result, setResult] = useState<DryRun>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const change = (draft: Draft | null) => {
    state.value = draft;
    setResult(undefined);
    setError(undefined);
  };
  const send = async <T,>(path: string, then: (answer: T) => void, options = {}) => {
    setBusy(true);
    setError(undefined);
    try {
      then(await post<T>(path, documentOf(state.value!), options));
    } catch (failure) {
      setResult(undefined);
      setError(failure);
      if (failure instanceof ApiError && failure.code === "stale_revision") onChanged(); // someone was faster
    } finally {
      setBusy(false);
    }
  };
  return {
    value: state.value,
    result,
    error,
    busy,
    change,
    discard: () => change(null),
    add: (operation: Json) => change({ at: "now", comment: "", expected: target, ...state.value, operations: [...(state.value?.operations ?? []), operation] }),
    try: () => void send<DryRun>(`/v1/jobs/${jobId}/edits/dry-run`, setResult, { idempotent: false }),
    apply: () =>
      void send<Edit>(`/v1/jobs/${jobId}/edits`, (edit) => {
        toast(`Edit ${edit.id} is accepted.`);
        change(null);
        onChanged();
      }),
  };
}
