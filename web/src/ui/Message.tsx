import type { ComponentChildren } from "preact";
import { ApiError } from "../api/problem";

/** A whole area that has nothing else to show: empty, not found, ended. `page`: it is all that the page has. */
export function Message({ title, page, children }: { title: string; page?: boolean; children?: ComponentChildren }) {
  return (
    <div class="message">
      {page ? <h1>{title}</h1> : <h2>{title}</h2>}
      {children && <div>{children}</div>}
    </div>
  );
}

/** Shown while something loads; appears late, so that quick answers do not flicker. */
export function Loading({ what }: { what: string }) {
  return (
    <div class="loading" role="status">
      <span class="spinner" aria-hidden="true" /> Loading {what}…
    </div>
  );
}

/** An error with every problem of its document: place, detail and hint. */
export function Problems({ error, retry }: { error: unknown; retry?: () => void }) {
  const problem = error instanceof ApiError ? error : null;
  return (
    <div class="problems" role="alert">
      <p>
        <strong>{problem?.offline ? "The service cannot be reached. Trying again…" : messageOf(error)}</strong>
      </p>
      {problem && problem.errors.length > 0 && (
        <ul>
          {problem.errors.map((each) => (
            <li key={each.pointer + each.code}>
              {each.pointer && <code>{each.pointer}</code>} {each.detail}
              {each.hint && <span class="hint"> {each.hint}</span>}
            </li>
          ))}
        </ul>
      )}
      {problem?.requestId && <p class="muted">Request {problem.requestId}</p>}
      {retry && <button type="button" onClick={retry}>Try again</button>}
    </div>
  );
}

/** Shown where the code of a page does not load: the service was upgraded, or cannot be reached. */
export function NotLoaded({ what }: { what: string }) {
  return (
    <div class="problems" role="alert">
      <p><strong>{what} could not be loaded.</strong> The page loads itself anew as soon as the service answers.</p>
      <button type="button" onClick={() => location.reload()}>Load it now</button>
    </div>
  );
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
