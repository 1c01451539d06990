import { useState } from "preact/hooks";
import type { Dataset } from "../../api/schema";
import { hasScope } from "../../api/session";
import { formatBytes } from "../../ui/format";
import { Problems } from "../../ui/Message";
import { OneUpload } from "./UploadList";
import { pendingFiles, resumeUpload, type Upload } from "./uploads";

/** Content that is not there yet, or was refused: what is wrong with it, and where to send it. */
export function ContentPanel({ dataset, upload }: { dataset: Dataset; upload: Upload | undefined }) {
  return (
    <section class="panel datasets-content">
      {dataset.problems.length > 0 && upload?.phase !== "sending" && <ContentProblems dataset={dataset} />}
      {upload ? <OneUpload upload={upload} /> : hasScope("write") ? <ChooseAgain dataset={dataset} /> : <p>Its content has not arrived.</p>}
    </section>
  );
}

function ContentProblems({ dataset }: { dataset: Dataset }) {
  return (
    <div class="problems" role="alert">
      <p><strong>The content was refused. Correct it, and send it again{dataset.problems.length >= 20 ? "; these are the first problems" : ""}:</strong></p>
      <ul>
        {dataset.problems.map((each, index) => (
          <li key={index}>
            {each.pointer && <code>{placeText(each.pointer)}</code>} {each.detail}
            {each.hint && <span class="hint"> {each.hint}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** A place in a file: "/304/price" is line 304, column price. */
function placeText(pointer: string): string {
  const parts = pointer.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const [line, ...rest] = parts;
  return /^\d+$/.test(line ?? "") ? [`line ${line}`, ...rest].join(", ") : parts.join(", ");
}

function ChooseAgain({ dataset }: { dataset: Dataset }) {
  const [error, setError] = useState<unknown>();
  const known = pendingFiles()[dataset.id];
  const begun = dataset.received > 0;
  const choose = (files: FileList | null) => {
    const file = files?.[0];
    if (!file) return;
    setError(undefined);
    resumeUpload(dataset.id, file).catch(setError);
  };
  return (
    <>
      <h2>{begun ? `The upload stopped at ${formatBytes(dataset.received)}` : "Send its content"}</h2>
      <p>
        {begun && known && <>Choose “{known.name}” ({formatBytes(known.size)}) again: it goes on from there.</>}
        {begun && !known && "It was begun elsewhere. Choose the same file: it goes on from there. A file of another size is refused."}
        {!begun && "Choose a file. The settings of how it is read stay as they are; for others, upload it anew."}
      </p>
      <label class="button primary datasets-choose">
        Choose the file
        <input class="visually-hidden" type="file" onChange={(event) => choose(event.currentTarget.files)} />
      </label>
      {error !== undefined && <Problems error={error} />}
    </>
  );
}
