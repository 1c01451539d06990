import { formatBytes, formatDuration } from "../../ui/format";
import { Problems } from "../../ui/Message";
import { ProgressBar } from "../../ui/ProgressBar";
import { forgetUpload, goOn, pauseUpload, uploads, type Upload } from "./uploads";

/** The uploads of this window: how far they are, to pause and to go on. */
export function UploadList() {
  if (uploads.value.length === 0) return null;
  return (
    <section class="panel datasets-uploads" aria-label="Uploads">
      {uploads.value.map((upload) => <OneUpload key={upload.id} upload={upload} />)}
    </section>
  );
}

export function OneUpload({ upload }: { upload: Upload }) {
  const { id, file, phase, received } = upload;
  const share = file.size ? received / file.size : 1;
  return (
    <div class="datasets-upload">
      <div class="row">
        <a class="grow ellipsis" href={`/datasets/${id}`}>{file.name}</a>
        {phase === "sending" && <button type="button" onClick={() => pauseUpload(id)}>Pause</button>}
        {phase === "paused" && <button type="button" class="primary" onClick={() => goOn(id)}>Go on</button>}
        {phase === "failed" && <button type="button" onClick={() => goOn(id)}>Send again</button>}
        {phase !== "sending" && <button type="button" aria-label={`Hide ${file.name}`} onClick={() => forgetUpload(id)}>Hide</button>}
      </div>
      {phase !== "failed" && <ProgressBar value={upload.reading ? null : share} label={`Upload of ${file.name}`} />}
      <p class="muted" role="status">{stateOf(upload)}</p>
      {phase === "failed" && <Problems error={upload.error} />}
    </div>
  );
}

function stateOf({ phase, waits, reading, received, began, file }: Upload): string {
  const size = `${formatBytes(received)} of ${formatBytes(file.size)}`;
  if (phase === "ready") return "Read and described.";
  if (phase === "paused") return `Paused at ${size}. It goes on from there, also after this page was closed.`;
  if (phase === "failed") return `Stopped at ${size}.`;
  if (waits) return `${waits} Trying again from ${size}.`;
  if (reading) return "The last part is on its way; then the service reads all of it…";
  const seconds = (Date.now() - began.at) / 1000;
  const rate = (received - began.received) / seconds;
  const rest = rate > 0 && seconds > 1 ? `, ${formatBytes(rate)}/s, about ${formatDuration((file.size - received) / rate)} left` : "";
  return size + rest;
}
