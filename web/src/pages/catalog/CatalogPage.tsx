import { useState } from "preact/hooks";
import { get } from "../../api/client";
import { useResource } from "../../api/resource";
import type { Catalog, CatalogKind } from "../../api/schema";
import { queryParameters, setQuery } from "../../shell/router";
import { Field } from "../../ui/Field";
import { Loaded } from "../../ui/Loaded";
import { Message } from "../../ui/Message";
import { KindDetails } from "./KindDetails";
import { searchKinds } from "./parameters";
import "./catalog.css";

const SHOWN = 80; // of a long list; "Show all" shows the rest

/** Every kind that a spec may name: search, parameters, an example. */
export default function CatalogPage() {
  const catalog = useResource((signal) => get<Catalog>("/v1/catalog", {}, signal), []);
  return (
    <>
      <h1>Catalogue</h1>
      <Loaded resource={catalog} what="the catalogue">{(found) => <Browser catalog={found} />}</Loaded>
    </>
  );
}

function Browser({ catalog }: { catalog: Catalog }) {
  const query = queryParameters.value;
  const [search, group, chosen] = [query.get("search") ?? "", query.get("group") ?? "", query.get("kind")];
  const [all, setAll] = useState(false);
  const found = searchKinds(catalog.kinds, search, group);
  const kind = catalog.kinds.find((each) => each.kind === chosen && (!group || each.group === group));
  const groups = [...new Set(catalog.kinds.map((each) => each.group))];
  return (
    <>
      <form class="row filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <Field label="Search">
          {(attributes) => <input {...attributes} type="search" placeholder="convolution, attention, Adam …" value={search} onInput={(event) => setQuery({ search: event.currentTarget.value })} />}
        </Field>
        <Field label="Family">
          {(attributes) => (
            <select {...attributes} value={group} onChange={(event) => setQuery({ group: event.currentTarget.value, kind: null })}>
              <option value="">All</option>
              {groups.map((each) => <option key={each} value={each}>{each}</option>)}
            </select>
          )}
        </Field>
        <p class="muted" role="status">{found.length} of {catalog.kinds.length} kinds</p>
      </form>
      <div class="catalog">
        {found.length === 0 ? <Message title="No kind fits">Other words may find it: names are those of PyTorch.</Message> : <List kinds={all ? found : found.slice(0, SHOWN)} chosen={kind} />}
        {kind ? <KindDetails of={kind} schemas={catalog.schemas} /> : <p class="muted">Choose a kind to see its parameters.</p>}
      </div>
      {!all && found.length > SHOWN && <button type="button" onClick={() => setAll(true)}>Show all {found.length}</button>}
    </>
  );
}

function List({ kinds, chosen }: { kinds: readonly CatalogKind[]; chosen: CatalogKind | undefined }) {
  return (
    <ul class="kinds" aria-label="Kinds">
      {kinds.map((kind) => (
        <li key={`${kind.group}/${kind.kind}`}>
          <button type="button" class="plain" aria-pressed={kind === chosen} onClick={() => setQuery({ kind: kind.kind }, { replace: false })}>
            <strong>{kind.kind}</strong> <span class="tag">{kind.group}</span>
            <span class="muted">{kind.sentence}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
