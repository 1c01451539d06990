import { useState } from "preact/hooks";
import type { Predicted, PredictedOutput, Predictions } from "../../../api/schema";
import { formatNumber, formatPercent, toNumber, type JsonNumber } from "../../../ui/format";
import { GeneratedText } from "./GeneratedText";
import { OutputPicture } from "./OutputPicture";
import { answerText, barsOf } from "./results";

const TOP = 5;

/** What the network says of the first row. */
export function PredictionResult({ answer, words, prompt }: { answer: Predictions; words: readonly string[][]; prompt: string }) {
  const row = answer.predictions[0] ?? {};
  return (
    <section class="panel">
      <h2>Prediction</h2>
      <p class="muted">With the weights of step {formatNumber(answer.step)}.</p>
      {answer.warnings.map((each) => <div class="notice warning" key={each.pointer + each.code}><p>{each.detail}</p>{each.hint && <p class="hint">{each.hint}</p>}</div>)}
      {Object.entries(answer.outputs).map(([name, output]) => row[name] && <OneOutput key={name} name={name} output={output} predicted={row[name]} words={words} prompt={prompt} />)}
      {Object.entries(answer.left_out).map(([name, why]) => <p key={name} class="muted">{name} is left out: {why}</p>)}
    </section>
  );
}

function OneOutput({ name, output, predicted, words, prompt }: { name: string; output: PredictedOutput; predicted: Predicted; words: readonly string[][]; prompt: string }) {
  const [all, setAll] = useState(false);
  if (String(output.about) === "text") return <div class="predict-output"><h3>{name}</h3><GeneratedText predicted={predicted} prompt={prompt} /></div>;
  const bars = barsOf(output, predicted);
  const shown = all || output.about === "labels" ? bars : bars.slice(0, TOP);
  return (
    <div class="predict-output">
      <h3>{output.target ?? name}</h3>
      {predicted.image ? <OutputPicture image={predicted.image} label={`${name}, a picture`} /> : predicted.tags ? <Tags predicted={predicted} words={words} /> : <p class="predict-says">{answerText(output, predicted)}</p>}
      {bars.length > 0 && (
        <ul class="predict-bars">
          {shown.map((bar) => (
            <li key={bar.label} class={bar.chosen ? "chosen" : ""}>
              <span class="ellipsis" title={bar.label}>{bar.chosen && <span aria-hidden="true">✓ </span>}{bar.label}</span>
              <progress max={1} value={bar.probability} aria-hidden="true" />
              <span class="number">{formatPercent(bar.probability, 2)}</span>
            </li>
          ))}
        </ul>
      )}
      {bars.length > shown.length && <button type="button" onClick={() => setAll(true)}>All {bars.length}</button>}
      {predicted.raw !== undefined && predicted.raw !== null && (output.about !== "raw" || predicted.image) && (
        <details><summary>The network's own numbers</summary><pre tabIndex={0}><code>{JSON.stringify(predicted.raw)}</code></pre></details>
      )}
    </div>
  );
}

/** The tag of every token, with its probability, and the word where there is one list of as many words. */
function Tags({ predicted, words }: { predicted: Predicted; words: readonly string[][] }) {
  const tags = (Array.isArray(predicted.tags) ? predicted.tags : [predicted.tags]) as (string | number)[];
  const probabilities = (Array.isArray(predicted.probability) ? predicted.probability : []) as JsonNumber[];
  const beside = words.find((each) => each.length === tags.length);
  return (
    <ol class="predict-tags">
      {tags.map((tag, index) => <li key={index} class="tag">{beside && <span>{beside[index]} </span>}<strong>{tag}</strong>{probabilities[index] !== undefined && <span class="muted"> {formatPercent(toNumber(probabilities[index]), 0)}</span>}</li>)}
    </ol>
  );
}
