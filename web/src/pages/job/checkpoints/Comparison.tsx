import { get } from "../../../api/client";
import { useResource } from "../../../api/resource";
import type { Checkpoint } from "../../../api/schema";
import { Problems } from "../../../ui/Message";
import { formatBytes, formatDuration, formatNumber } from "../../../ui/format";
import { compareValues } from "./compare";

/** Two checkpoints side by side: values, and what differs between the networks and plans of their revisions. */
export function Comparison({ jobId, first, second }: { jobId: string; first: Checkpoint; second: Checkpoint }) {
  const [earlier, later] = first.step <= second.step ? [first, second] : [second, first];
  const seconds = (Date.parse(later.created_at) - Date.parse(earlier.created_at)) / 1000;
  return (
    <section class="panel" aria-live="polite">
      <h2>Step {formatNumber(earlier.step)} beside step {formatNumber(later.step)}</h2>
      <p class="muted">
        {formatNumber(later.step - earlier.step)} steps and {formatDuration(Math.abs(seconds))} lie between them
        {earlier.revision === later.revision ? "; the network and the plan are the same." : `, and revisions ${earlier.revision} and ${later.revision}.`}
      </p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Comparison">
        <table>
          <thead><tr><th>Value</th><th class="number">Step {formatNumber(earlier.step)}</th><th class="number">Step {formatNumber(later.step)}</th><th class="number">Difference</th></tr></thead>
          <tbody>
            {compareValues(earlier, later).map((each) => (
              <tr key={each.name}>
                <th scope="row">{each.name}</th><td class="number">{figure(each.first)}</td><td class="number">{figure(each.second)}</td>
                <td class="number">{each.difference > 0 && "+"}{figure(each.difference)}</td>
              </tr>
            ))}
            <tr><th scope="row">weights</th><td class="number">{sizeOf(earlier)}</td><td class="number">{sizeOf(later)}</td><td class="number">{sameWeights(earlier, later) ? "the same bytes" : "other bytes"}</td></tr>
          </tbody>
        </table>
      </div>
      {earlier.revision !== later.revision && <RevisionDifference jobId={jobId} from={earlier.revision} to={later.revision} />}
    </section>
  );
}

const figure = (value: number): string => (Number.isNaN(value) ? "–" : formatNumber(value, 6));

const weightsOf = (checkpoint: Checkpoint) => checkpoint.files.find((file) => file.name === "weights.safetensors");
const sizeOf = (checkpoint: Checkpoint): string => formatBytes(weightsOf(checkpoint)?.size ?? 0);
const sameWeights = (one: Checkpoint, other: Checkpoint): boolean => weightsOf(one)?.sha256 === weightsOf(other)?.sha256;

/** What edits changed between two revisions. */
function RevisionDifference({ jobId, from, to }: { jobId: string; from: number; to: number }) {
  const { data, error } = useResource((signal) => get<unknown>(`/v1/jobs/${jobId}/network/diff`, { from, to }, signal), [jobId, from, to]);
  if (error !== undefined) return <Problems error={error} />;
  return (
    <>
      <h3>What edits changed</h3>
      <pre tabIndex={0}><code>{data === undefined ? "…" : JSON.stringify(data, null, 2)}</code></pre>
      <p><a href={`/jobs/${jobId}/network?from=${from}&to=${to}`}>See it in the network</a></p>
    </>
  );
}
