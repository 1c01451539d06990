import { formatNumber, formatPercent, toNumber, type JsonNumber } from "../../../ui/format";
import type { Predicted } from "../../../api/schema";
import { tokenText } from "./generation";

/** The fields of a generated text. */
export interface Generated {
  text?: string | null;
  tokens?: unknown[] | null;
  log_probabilities?: JsonNumber[] | null;
  ended?: string | null;
}

const WHY: Record<string, string> = { stop: "It ends by itself", max_length: "It is as long as allowed" };

/** A text that the network has added, and its tokens with their probabilities. */
export function GeneratedText({ predicted, prompt }: { predicted: Predicted; prompt: string }) {
  const { text, tokens, log_probabilities, ended } = predicted as Generated;
  const logs = (log_probabilities ?? []).map(toNumber);
  const sum = logs.reduce((total, each) => total + each, 0);
  return (
    <>
      <p class="predict-text"><span class="muted">{prompt}</span>{text ?? (tokens ?? []).join(" ")}</p>
      <p class="muted">{WHY[ended ?? ""] ?? "It ends"} after {formatNumber(logs.length)} tokens, log probability {formatNumber(sum, 4)}.</p>
      <details>
        <summary>Each token and its probability</summary>
        <ol class="predict-tags">
          {(tokens ?? []).map((token, index) => (
            <li key={index} class="tag"><strong>{tokenText(token)}</strong> <span class="muted">{formatPercent(Math.exp(logs[index] ?? 0), 0)}</span></li>
          ))}
        </ol>
      </details>
    </>
  );
}
