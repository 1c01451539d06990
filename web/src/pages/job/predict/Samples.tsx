import { useState } from "preact/hooks";
import { post } from "../../../api/client";
import type { Predictions } from "../../../api/schema";
import { Problems } from "../../../ui/Message";
import { OutputPicture } from "./OutputPicture";
import { answerText } from "./results";
import { Snippets } from "./Snippets";
import type { SampleBody } from "./snippets";

const MOST = 64;

/** Samples of the outputs that read no column: pictures, or numbers, which a seed repeats. */
export function Samples({ jobId, checkpoint }: { jobId: string; checkpoint: string | null }) {
  const [count, setCount] = useState(16);
  const [seed, setSeed] = useState(0);
  const [busy, setBusy] = useState(false);
  const [answer, setAnswer] = useState<Predictions>();
  const [error, setError] = useState<unknown>();
  const body: SampleBody = { count, seed, outputs: ["labels", "image"], ...(checkpoint && { checkpoint }) };
  const draw = async () => {
    setBusy(true);
    setError(undefined);
    try {
      setAnswer(await post<Predictions>(`/v1/jobs/${jobId}/predict`, body, { idempotent: false }));
    } catch (problem) {
      setAnswer(undefined);
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <div class="predict-columns">
      <form class="panel" onSubmit={(event) => (event.preventDefault(), void draw())}>
        <p class="hint">Of outputs that are made of noise alone, and of no column of the data.</p>
        <p><label>Samples <input type="number" min={1} max={MOST} required value={count} onInput={(event) => setCount(Number(event.currentTarget.value))} /></label></p>
        <p><label>Seed <input type="number" min={0} required value={seed} onInput={(event) => setSeed(Number(event.currentTarget.value))} /></label></p>
        {error !== undefined && <Problems error={error} />}
        <button type="submit" class="primary" disabled={busy}>{busy ? "Drawing…" : "Draw samples"}</button>
      </form>
      <div class="predict-answer" aria-live="polite">
        {answer ? Object.keys(answer.outputs).map((name) => <OneOutput key={name} name={name} answer={answer} />) : <p class="muted">The samples come here.</p>}
        <Snippets jobId={jobId} body={body} />
      </div>
    </div>
  );
}

function OneOutput({ name, answer }: { name: string; answer: Predictions }) {
  const output = answer.outputs[name]!;
  return (
    <section class="panel">
      <h2>{name}</h2>
      <ol class="predict-samples">
        {answer.predictions.map((row, index) => {
          const predicted = row[name]!;
          const label = `${name}, sample ${index + 1}`;
          return <li key={index}>{predicted.image ? <OutputPicture image={predicted.image} label={label} /> : answerText(output, predicted)}</li>;
        })}
      </ol>
    </section>
  );
}
