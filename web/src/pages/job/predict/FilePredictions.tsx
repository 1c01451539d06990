import { useState } from "preact/hooks";
import { post, send } from "../../../api/client";
import type { Predictions } from "../../../api/schema";
import { formatBytes, formatNumber, formatPercent, toNumber, type JsonNumber } from "../../../ui/format";
import { Problems } from "../../../ui/Message";
import { toast } from "../../../ui/Toast";
import { mediaType } from "./media";
import { OutputPicture } from "./OutputPicture";
import { answerText } from "./results";

const SHOWN = 100;

/** Predictions for a file of rows: as a table, and as CSV to keep. */
export function FilePredictions({ jobId, checkpoint }: { jobId: string; checkpoint: string | null }) {
  const [file, setFile] = useState<File>();
  const [answer, setAnswer] = useState<Predictions>();
  const [busy, setBusy] = useState(false);
  const [over, setOver] = useState(false);
  const [error, setError] = useState<unknown>();
  const take = async (chosen: File | undefined) => {
    if (!chosen) return;
    setFile(chosen);
    setBusy(true);
    setError(undefined);
    setAnswer(undefined);
    try {
      setAnswer(await post<Predictions>(`/v1/jobs/${jobId}/predict`, chosen, { contentType: mediaType(chosen.name), query: { checkpoint, outputs: "labels,image" }, idempotent: false }));
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <div
        class={over ? "panel predict-file over" : "panel predict-file"}
        onDragOver={(event) => (event.preventDefault(), setOver(true))}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => (event.preventDefault(), setOver(false), void take(event.dataTransfer?.files[0]))}
      >
        <label class="predict-pick">
          <strong>A file of rows</strong>{" "}
          <input type="file" onChange={(event) => void take(event.currentTarget.files?.[0])} />
        </label>
        <p class="hint">or drop it here: any format of data sets, with or without the target; also a picture or a zip of pictures.</p>
      </div>
      {busy && <p role="status">Predicting {file?.name} ({formatBytes(file?.size ?? 0)})…</p>}
      {error !== undefined && <Problems error={error} {...(file && { retry: () => void take(file) })} />}
      {answer && file && <PredictionTable answer={answer} onCsv={() => void saveCsv(jobId, checkpoint, file)} />}
    </>
  );
}

async function saveCsv(jobId: string, checkpoint: string | null, file: File): Promise<void> {
  try {
    const response = await send("POST", `/v1/jobs/${jobId}/predict`, {
      body: file, contentType: mediaType(file.name), accept: "text/csv", query: { checkpoint, outputs: "labels,probabilities" },
    });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = `${file.name.replace(/\.[^.]*$/, "")}.predictions.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  } catch (error) {
    toast(error);
  }
}

function PredictionTable({ answer, onCsv }: { answer: Predictions; onCsv: () => void }) {
  const names = Object.keys(answer.outputs);
  return (
    <section aria-live="polite">
      <div class="row spread">
        <h2>{formatNumber(answer.predictions.length)} predictions</h2>
        <button type="button" onClick={onCsv}>Download as CSV</button>
      </div>
      {answer.warnings.map((each) => <div class="notice warning" key={each.pointer + each.code}><p>{each.detail}</p>{each.hint && <p class="hint">{each.hint}</p>}</div>)}
      <div class="scroll" tabIndex={0} role="region" aria-label="Predictions">
        <table>
          <thead><tr><th class="number">Row</th>{answer.files && <th>File</th>}{names.map((name) => <th key={name}>{answer.outputs[name]!.target ?? name}</th>)}</tr></thead>
          <tbody>
            {answer.predictions.slice(0, SHOWN).map((row, index) => (
              <tr key={index}>
                <td class="number">{index + 1}</td>
                {answer.files && <td>{answer.files[index]}</td>}
                {names.map((name) => {
                  const predicted = row[name];
                  const probability: unknown = predicted?.probability;
                  return <td key={name}>{predicted?.image ? <OutputPicture image={predicted.image} label={`${name}, row ${index + 1}`} /> : predicted ? answerText(answer.outputs[name]!, predicted) : "–"}{typeof probability === "number" && <span class="muted"> {formatPercent(toNumber(probability as JsonNumber))}</span>}</td>;
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {answer.predictions.length > SHOWN && <p class="hint">These are the first {SHOWN}; the CSV has all.</p>}
    </section>
  );
}
