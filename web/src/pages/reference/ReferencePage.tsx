import { get } from "../../api/client";
import { useResource } from "../../api/resource";
import { queryParameters, setQuery } from "../../shell/router";
import { Field } from "../../ui/Field";
import { Loaded } from "../../ui/Loaded";
import { operationsOf, type Description, type Operation } from "./description";
import { OperationPanel } from "./OperationPanel";
import "./reference.css";

/** The API, from its own description: every route, what it takes and answers, and a form that sends a request. */
export default function ReferencePage() {
  const description = useResource((signal) => get<Description>("/v1/openapi.json", {}, signal), []);
  return (
    <>
      <h1>API reference</h1>
      <p>
        Everything on these pages goes through this API. Programs send <code>Authorization: Bearer gw_…</code>; requests from here are sent
        by your session. <a href="/v1/openapi.json" download="openapi.json">The description as a file</a> makes typed clients.
        These pages are built with <a href="/licenses.txt" target="_blank" rel="noopener">packages of others and their licences</a>.
      </p>
      <Loaded resource={description} what="the description">{(found) => <Reference description={found} />}</Loaded>
    </>
  );
}

function Reference({ description }: { description: Description }) {
  const query = queryParameters.value;
  const search = (query.get("search") ?? "").toLowerCase();
  const operations = operationsOf(description);
  const found = operations.filter((each) => `${each.method} ${each.path} ${each.summary} ${each.description}`.toLowerCase().includes(search));
  const chosen = operations.find((each) => each.id === query.get("operation"));
  const tags = [...new Set(found.map((each) => each.tag))];
  return (
    <div class="reference">
      <nav aria-label="Routes">
        <Field label="Search">
          {(attributes) => <input {...attributes} type="search" value={query.get("search") ?? ""} onInput={(event) => setQuery({ search: event.currentTarget.value })} />}
        </Field>
        {found.length === 0 && <p class="muted">No route fits.</p>}
        {tags.map((tag) => (
          <section key={tag}>
            <h2>{tag}</h2>
            <ul>
              {found.filter((each) => each.tag === tag).map((each) => <Entry key={each.id} of={each} current={each === chosen} />)}
            </ul>
          </section>
        ))}
      </nav>
      {chosen ? <OperationPanel key={chosen.id} of={chosen} description={description} /> : <p class="muted">Choose a route.</p>}
    </div>
  );
}

function Entry({ of: operation, current }: { of: Operation; current: boolean }) {
  const parameters = new URLSearchParams(queryParameters.value);
  parameters.set("operation", operation.id);
  return (
    <li>
      <a href={`/reference?${parameters}`} aria-current={current ? "true" : undefined}>
        <span class={`method ${operation.method.toLowerCase()}`}>{operation.method}</span> {operation.path}
      </a>
    </li>
  );
}
