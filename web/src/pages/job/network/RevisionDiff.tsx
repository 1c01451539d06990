import { useMemo, useState } from "preact/hooks";
import { get } from "../../../api/client";
import { useResource } from "../../../api/resource";
import type { Job, NetworkDiff } from "../../../api/schema";
import { NetworkDrawing, type Mark } from "../../../graph/NetworkDrawing";
import { Loading, Problems } from "../../../ui/Message";
import { DiffTables } from "./DiffTables";
import { useRevision, type Revision } from "./useRevisions";

/** Two revisions side by side: what went is marked in the earlier one, what came in the later one, and what changed in both. */
export function RevisionDiff({ job, from, to }: { job: Job; from: Revision; to: Revision }) {
  const { data: diff, error, reload } = useResource(
    (signal) => get<NetworkDiff>(`/v1/jobs/${job.id}/network/diff`, { from: from.number, to: to.number }, signal),
    [job.id, from.number, to.number],
  );
  const before = useRevision(job, from.number, from.edit);
  const after = useRevision(job, to.number, to.edit);
  const [selected, setSelected] = useState<string | null>(null);
  const marks = useMemo(() => (diff ? marksOf(diff) : null), [diff]);
  if (!diff || !marks || !before.network || !after.network) {
    const failed = error ?? before.error ?? after.error;
    return failed ? <Problems error={failed} retry={reload} /> : <Loading what="the difference" />;
  }
  const shared = { selected, onSelect: setSelected, legend: false };
  return (
    <div class="stack">
      <MarkLegend diff={diff} />
      <div class="network-sides">
        <section>
          <h2>Revision {from.number}</h2>
          <NetworkDrawing inspection={before.network} marks={marks.before} label={`${job.name}, revision ${from.number}`} {...shared} />
        </section>
        <section>
          <h2>Revision {to.number}</h2>
          <NetworkDrawing inspection={after.network} marks={marks.after} label={`${job.name}, revision ${to.number}`} {...shared} />
        </section>
      </div>
      <DiffTables diff={diff} />
    </div>
  );
}

export function marksOf(diff: NetworkDiff): { before: ReadonlyMap<string, Mark>; after: ReadonlyMap<string, Mark> } {
  const changed = Object.keys(diff.changed).map((path) => [path, "changed"] as const);
  return {
    before: new Map<string, Mark>([...Object.keys(diff.removed).map((path) => [path, "removed"] as const), ...changed]),
    after: new Map<string, Mark>([...Object.keys(diff.added).map((path) => [path, "added"] as const), ...changed]),
  };
}

export function MarkLegend({ diff }: { diff: NetworkDiff }) {
  const counts = [["−", "removed", diff.removed], ["+", "added", diff.added], ["≠", "changed", diff.changed]] as const;
  return (
    <p class="row">
      {counts.map(([sign, word, nodes]) => (
        <span key={word} class={`tag network-mark ${word}`}><strong>{sign}</strong> {Object.keys(nodes).length} {word}</span>
      ))}
    </p>
  );
}
