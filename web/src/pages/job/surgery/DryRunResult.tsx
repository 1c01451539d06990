import type { DryRun, FunctionDifference } from "../../../api/schema";
import { formatBytes, formatNumber, toNumber } from "../../../ui/format";
import { DiffTables } from "../network/DiffTables";
import { MarkLegend } from "../network/RevisionDiff";

/** What an edit would do: to the network, to memory, and to what the network computes. */
export function DryRunResult({ result }: { result: DryRun }) {
  const { diff, memory, warnings } = result;
  return (
    <section class="stack" aria-label="What the edit would do">
      <h3>What it would do</h3>
      {result.pending.length > 0 && <p class="muted">After {result.pending.length === 1 ? "edit" : "edits"} {result.pending.join(", ")}, which {result.pending.length === 1 ? "waits" : "wait"}.</p>}
      <MarkLegend diff={diff} />
      <Difference difference={result.difference} />
      {memory?.["total"] !== undefined && <p>A training step would take {formatBytes(memory["total"])}.</p>}
      {warnings.map((warning) => (
        <div key={warning.pointer + warning.code} class="notice warning"><p>{warning.detail}{warning.hint && <span class="hint"> {warning.hint}</span>}</p></div>
      ))}
      <details>
        <summary>Every difference</summary>
        <DiffTables diff={diff} />
      </details>
    </section>
  );
}

const SAME = 1e-5; // of the largest output: rounding

function Difference({ difference }: { difference: FunctionDifference | null }) {
  if (!difference) return <p class="muted">How much the outputs change was not measured: there is no checkpoint yet, the data is large, or gradients choose.</p>;
  const outputs = Object.keys(difference.max);
  const exact = outputs.every((name) => toNumber(difference.relative[name]) <= SAME);
  return (
    <div class={exact ? "notice" : "notice warning"}>
      <p><strong>{exact ? "The network computes what it did before" : "The outputs change"}</strong>, measured on {difference.rows} rows with the weights of step {difference.step.toLocaleString("en")}:</p>
      <ul>
        {outputs.map((name) => (
          <li key={name}><code>{name}</code>: by {formatNumber(toNumber(difference.max[name]), 3)} at most, {formatNumber(toNumber(difference.relative[name]), 3)} of its largest value</li>
        ))}
        {difference.left_out.map((name) => <li key={name}><code>{name}</code>: has another shape</li>)}
      </ul>
    </div>
  );
}
