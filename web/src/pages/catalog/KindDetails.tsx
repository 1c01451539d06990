import type { CatalogKind, JsonObject } from "../../api/schema";
import { navigate } from "../../shell/router";
import { CopyButton } from "../../ui/CopyButton";
import { toast } from "../../ui/Toast";
import { parametersOf, type Parameter } from "./parameters";

/** One kind: what it does, its parameters, and an example to copy. */
export function KindDetails({ of: kind, schemas }: { of: CatalogKind; schemas: JsonObject }) {
  const parameters = parametersOf(kind, schemas);
  const example = JSON.stringify(kind.example, null, 2);
  const use = async () => {
    try {
      await navigator.clipboard.writeText(example);
      toast("The example is copied: paste it where it belongs");
    } catch {
      toast(new Error("the browser does not allow to copy: select the example instead"));
      return;
    }
    navigate("/jobs/new");
  };
  return (
    <article class="panel kind" aria-label={kind.kind}>
      <h2>{kind.kind} <span class="tag">{kind.group}</span></h2>
      <p>{kind.sentence}</p>
      <dl>
        {kind.shapes && <><dt>Shapes</dt><dd>{kind.shapes}</dd></>}
        {typeof kind.least_inputs === "number" && <><dt>Inputs</dt><dd>{inputsOf(kind)}</dd></>}
        {!!kind.outputs?.length && <><dt>Outputs</dt><dd>{kind.outputs.join(", ")}</dd></>}
        {kind.about && <><dt>Reported of</dt><dd>{kind.about.join(", ")}</dd></>}
      </dl>
      {parameters.length > 0 ? <Parameters of={parameters} /> : <p class="muted">It has no parameters.</p>}
      <h3>Example</h3>
      <pre tabIndex={0}><code>{example}</code></pre>
      <div class="row">
        <CopyButton text={example} label="Copy the example" />
        <button type="button" onClick={() => void use()}>Copy it and open a new job</button>
      </div>
    </article>
  );
}

function inputsOf({ least_inputs: least, most_inputs: most }: CatalogKind): string {
  if (most === null || most === undefined) return `${least} or more`;
  return least === most ? String(least) : `${least} to ${most}`;
}

function Parameters({ of: parameters }: { of: readonly Parameter[] }) {
  const explained = parameters.some(({ description }) => description);
  return (
    <>
      <h3>Parameters</h3>
      <div class="scroll" tabIndex={0} role="region" aria-label="Parameters">
        <table>
          <thead><tr><th>Name</th><th>Type</th><th>Default</th>{explained && <th>Meaning</th>}</tr></thead>
          <tbody>
            {parameters.map(({ name, type, initial, required, description }) => (
              <tr key={name}>
                <td><code>{name}</code></td>
                <td>{type}</td>
                <td>{required ? <strong>required</strong> : <code>{initial}</code>}</td>
                {explained && <td class="muted">{description}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
