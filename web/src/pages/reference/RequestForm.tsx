import { useState } from "preact/hooks";
import { send } from "../../api/client";
import { ApiError } from "../../api/problem";
import { ConfirmButton } from "../../ui/ConfirmButton";
import { CopyButton } from "../../ui/CopyButton";
import { Field } from "../../ui/Field";
import { Problems } from "../../ui/Message";
import { addressOf, exampleOf, type Operation, type Schema } from "./description";

const MAX_SHOWN = 20_000; // characters of an answer

interface Answer {
  status: number;
  type: string;
  milliseconds: number;
  text: string;
}

/** Sends a request of the route with the session, and shows what comes back. */
export function RequestForm({ of: operation, schemas }: { of: Operation; schemas: Record<string, Schema> }) {
  const json = operation.bodies["application/json"];
  const [values, setValues] = useState<Record<string, string>>({});
  const [body, setBody] = useState(() => (json ? JSON.stringify(exampleOf(json, schemas), null, 2) : ""));
  const [answer, setAnswer] = useState<Answer>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const streams = operation.path.endsWith("/stream");
  const address = addressOf(operation, values);
  const parameters = operation.parameters.filter((each) => each.in === "path" || each.in === "query");
  const request = async () => {
    setBusy(true);
    setAnswer(undefined);
    setError(undefined);
    const began = performance.now();
    try {
      const response = await send(operation.method, address, body ? { body, contentType: "application/json" } : {});
      setAnswer(await readAnswer(response, began));
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const changes = operation.method === "DELETE";
  return (
    <form class="panel request" aria-label="Try it" onSubmit={(event) => (event.preventDefault(), void request())}>
      <h3>Try it</h3>
      <div class="limit-fields">
        {parameters.map(({ name, in: place, required, description }) => (
          <Field key={name} label={name} hint={description}>
            {(attributes) => (
              <input {...attributes} required={required || place === "path"} value={values[name] ?? ""} onInput={(event) => setValues({ ...values, [name]: event.currentTarget.value })} />
            )}
          </Field>
        ))}
      </div>
      {json && (
        <Field label="Body">
          {(attributes) => <textarea {...attributes} class="code" rows={Math.min(14, body.split("\n").length + 1)} spellcheck={false} value={body} onInput={(event) => setBody(event.currentTarget.value)} />}
        </Field>
      )}
      <div class="row">
        {streams ? <p class="muted">A stream has no end to wait for: <code>curl -N</code> shows it.</p> : changes ? (
          <ConfirmButton label="Send" question={`DELETE ${address}?`} onConfirm={request}><p>It is a real request, with your session.</p></ConfirmButton>
        ) : (
          <button class="primary" disabled={busy}>{busy ? "Sending…" : "Send"}</button>
        )}
        <CopyButton text={curlOf(operation, address, body)} label="Copy as curl" />
      </div>
      <div aria-live="polite">
        {error !== undefined && <Problems error={error} />}
        {error instanceof ApiError && error.status > 0 && <p class="muted">Status {error.status}, code <code>{error.code}</code></p>}
        {answer && (
          <>
            <p><strong>{answer.status}</strong> <span class="muted">{answer.type}, {answer.milliseconds} ms</span></p>
            {answer.text && <pre class="answer" tabIndex={0}><code>{answer.text}</code></pre>}
          </>
        )}
      </div>
    </form>
  );
}

async function readAnswer(response: Response, began: number): Promise<Answer> {
  const type = response.headers.get("content-type") ?? "no content";
  const readable = type.includes("json") || type.startsWith("text/");
  const content = response.status === 204 ? "" : readable ? await response.text() : `${(await response.blob()).size} bytes`;
  const text = type.includes("json") && content ? JSON.stringify(JSON.parse(content), null, 2) : content;
  return {
    status: response.status,
    type,
    milliseconds: Math.round(performance.now() - began),
    text: text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}\n… ${(text.length - MAX_SHOWN).toLocaleString("en")} more characters` : text,
  };
}

/** The request as a command; the key is that of the environment. */
function curlOf({ method, bodies }: Operation, address: string, body: string): string {
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = ["curl", method === "GET" ? "" : `-X ${method}`, `-H "Authorization: Bearer $GRAFTWERK_KEY"`];
  if (bodies["application/json"] && body) parts.push("-H 'Content-Type: application/json'", `-d ${quote(body)}`);
  return [...parts, quote(location.origin + address)].filter(Boolean).join(" ");
}
