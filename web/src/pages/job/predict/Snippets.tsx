import { CopyButton } from "../../../ui/CopyButton";
import { curlSnippet, pythonSnippet, type PredictBody, type SampleBody } from "./snippets";

/** The same question from a shell and from Python, to copy. */
export function Snippets({ jobId, body }: { jobId: string; body: PredictBody | SampleBody }) {
  const texts = { curl: curlSnippet(jobId, body), Python: pythonSnippet(jobId, body) };
  return (
    <details class="panel predict-snippets">
      <summary>The same from a program</summary>
      {Object.entries(texts).map(([name, text]) => (
        <div key={name}>
          <div class="row spread"><h3>{name}</h3><CopyButton text={text} label={`Copy ${name}`} /></div>
          <pre tabIndex={0}><code>{text}</code></pre>
        </div>
      ))}
    </details>
  );
}
