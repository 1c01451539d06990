import { post } from "../../../api/client";
import { hasScope } from "../../../api/session";
import type { Checkpoint, Job } from "../../../api/schema";
import { ConfirmButton } from "../../../ui/ConfirmButton";
import { CopyButton } from "../../../ui/CopyButton";
import { toast } from "../../../ui/Toast";
import { formatBytes, formatNumber, toNumber } from "../../../ui/format";
import { Exports } from "./Exports";

interface Props {
  job: Job;
  checkpoint: Checkpoint;
  onRolledBack: () => void;
}

/** One checkpoint: all values, files to download, and what can be done from it. */
export function CheckpointCard({ job, checkpoint, onRolledBack }: Props) {
  const query = new URLSearchParams({ fork: job.id, checkpoint: checkpoint.id });
  const active = ["queued", "running", "paused"].includes(job.status);
  return (
    <section class="panel checkpoints-card">
      <h2>Step {formatNumber(checkpoint.step)}{checkpoint.best && " (the best)"}</h2>
      <p><code>{checkpoint.id}</code> <CopyButton text={checkpoint.id} /></p>
      <div class="row">
        {hasScope("write") && <a class="button primary" href={`/jobs/new?${query}`}>Go on from here, or change something</a>}
        <a class="button" href={`/jobs/${job.id}/evaluation?checkpoint=${checkpoint.id}`}>Its report</a>
        <a class="button" href={`/jobs/${job.id}/predict?checkpoint=${checkpoint.id}`}>Try it</a>
        {hasScope("write") && active && <RollBack job={job} checkpoint={checkpoint} onDone={onRolledBack} />}
      </div>
      <h3>Values</h3>
      <dl class="checkpoints-values">
        {Object.entries(checkpoint.values).map(([name, value]) => <><dt>{name}</dt><dd>{formatNumber(toNumber(value), 6)}</dd></>)}
      </dl>
      <h3>Files</h3>
      <FileTable checkpoint={checkpoint} />
      <h3>Made when asked for</h3>
      <Exports checkpointId={checkpoint.id} />
    </section>
  );
}

function RollBack({ job, checkpoint, onDone }: { job: Job; checkpoint: Checkpoint; onDone: () => void }) {
  const roll = async () => {
    await post(`/v1/jobs/${job.id}/rollback`, { revision: checkpoint.revision, step: checkpoint.step });
    toast(`The job goes on from step ${formatNumber(checkpoint.step)}.`);
    onDone();
  };
  return (
    <ConfirmButton label="Roll back to it" question={`Go on from step ${formatNumber(checkpoint.step)}?`} onConfirm={roll}>
      <p>The attempt is ended at once, curves are cut at this step, and edits that wait are withdrawn. Nothing is deleted: it is a new revision, from which one can go back again.</p>
    </ConfirmButton>
  );
}

const FILES: Record<string, string> = {
  "weights.safetensors": "the weights, for every library that reads safetensors",
  "weights.pth": "the weights, as torch.load reads them",
  "model.py": "the network as code that needs nothing but torch",
  "preparation.json": "how rows become tensors: means, words, scales",
  "report.json": "what it made of the held-out rows, and the worst of them",
  "test_report.json": "the same of the test",
};

function FileTable({ checkpoint }: { checkpoint: Checkpoint }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Files">
      <table>
        <thead><tr><th>File</th><th>What it is</th><th class="number">Size</th><th>SHA-256</th></tr></thead>
        <tbody>
          {checkpoint.files.map((file) => (
            <tr key={file.name}>
              <td><a href={file.url} download={file.name}>{file.name}</a></td>
              <td>{FILES[file.name] ?? (file.name.endsWith("tokenizer.json") ? "words and their numbers" : "")}</td>
              <td class="number">{formatBytes(file.size)}</td>
              <td><code class="checkpoints-digest" title={file.sha256}>{file.sha256.slice(0, 12)}…</code> <CopyButton text={file.sha256} label="Copy" /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
