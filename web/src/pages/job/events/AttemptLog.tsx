import { formatTime } from "../../../ui/format";
import type { LogLine } from "./log";

const SYMBOLS = { info: "", warning: "⚠ warning", error: "✕ error" } as const;

/** The lines of one attempt. */
export function AttemptLog({ fence, lines }: { fence: number; lines: readonly LogLine[] }) {
  const title = fence === 0 ? "Before the first attempt" : `Attempt ${fence}`;
  return (
    <section class="events-attempt" aria-label={title}>
      <h3>{title}</h3>
      <ol>
        {lines.map((line) => (
          <li key={line.event.id} class={`events-line ${line.level}`}>
            <time dateTime={line.event.at} title={formatTime(line.event.at)}>{clock(line.event.at)}</time>
            <span class="events-kind">{line.event.kind.replaceAll("_", " ")}</span>
            <div class="grow">
              {SYMBOLS[line.level] && <strong>{SYMBOLS[line.level]} </strong>}{line.text}
              {line.details.map((detail, index) => <p key={index}>{detail}</p>)}
              <details>
                <summary>Event {line.event.id}</summary>
                <pre tabIndex={0}><code>{JSON.stringify(line.event.data, null, 2)}</code></pre>
              </details>
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}

const clock = (time: string): string => new Date(time).toLocaleTimeString("en", { hour12: false });
