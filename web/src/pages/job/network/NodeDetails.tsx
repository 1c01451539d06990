import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { get } from "../../../api/client";
import { useResource } from "../../../api/resource";
import { formatShape } from "../../../graph/model/inspection";
import type { Box } from "../../../graph/model/tree";
import { formatBytes } from "../../../ui/format";
import { HistogramMap } from "./HistogramMap";
import { SmallMultiple } from "./SmallMultiple";
import { frozenState, settingsOf } from "./spec";
import { QUANTITIES, statisticPath, type Statistics } from "./statistics";

interface Props {
  jobId: string;
  box: Box;
  spec: unknown; // of the revision that is shown
  batch: number | undefined;
  inside: { every: number | undefined; step: number } | null; // null: an earlier revision is shown
  onSelect: (path: string | null) => void;
}

/** What is known of one node: wiring, settings, parameters, costs, and what happens inside it while it is trained. */
export function NodeDetails({ jobId, box, spec, batch, inside, onSelect }: Props) {
  const { node } = box;
  if (!node) {
    return (
      <aside class="panel network-details" aria-label="Details">
        <Title box={box} onSelect={onSelect} />
        <p>A group that the drawing makes of nodes one after the other. Unfold it to see them.</p>
      </aside>
    );
  }
  const settings = settingsOf(spec, node.pointer);
  const weights = Object.entries(node.weights ?? {});
  const frozen = frozenState(spec, box.path, weights.map(([name]) => name));
  const shared = settings.find(([name]) => name === "share")?.[1];
  return (
    <aside class="panel network-details" aria-label="Details">
      <Title box={box} onSelect={onSelect} />
      <p class="row">
        <a href={`/catalog?kind=${encodeURIComponent(node.kind)}`}>{node.kind} in the catalogue</a>
        {frozen && <span class="tag">{frozen === "all" ? "frozen" : "partly frozen"}</span>}
        {typeof shared === "string" && <span class="tag">shares “{shared}”</span>}
      </p>
      <dl>
        <dt>Path</dt>
        <dd><code>{box.path}</code></dd>
        <dt>Reads</dt>
        <dd>{node.inputs.length ? <Inputs box={box} onSelect={onSelect} /> : "nothing"}</dd>
        <dt>Output</dt>
        <dd>{outputsOf(box).map(([name, value]) => <div key={name}>{box.values.size > 1 && <code>{name}</code>} {formatShape(value)} <span class="muted">{value.dtype}</span></div>)}</dd>
        {settings.map(([name, value]) => <Setting key={name} name={name} value={value} />)}
      </dl>
      <Costs box={box} batch={batch} />
      {weights.length > 0 && <Weights weights={weights} />}
      {inside && <Inside key={box.path} jobId={jobId} paths={box.paths} {...inside} />}
    </aside>
  );
}

function Title({ box, onSelect }: { box: Box; onSelect: (path: null) => void }) {
  return (
    <div class="row spread">
      <h2>{box.label} <code>{box.name}</code></h2>
      <button type="button" class="plain" aria-label="Close the details" onClick={() => onSelect(null)}>×</button>
    </div>
  );
}

function Inputs({ box, onSelect }: { box: Box; onSelect: (path: string) => void }) {
  const prefix = box.path.slice(0, box.path.length - box.name.length);
  return (
    <>
      {box.reads.map((name, index) => (
        <button key={`${name} ${index}`} type="button" class="plain" onClick={() => onSelect(prefix + name.split(".")[0]!)}><code>{name}</code></button>
      ))}
    </>
  );
}

const Setting = ({ name, value }: { name: string; value: unknown }): ComponentChildren => (
  <>
    <dt>{name}</dt>
    <dd><code>{typeof value === "string" ? value : JSON.stringify(value)}</code></dd>
  </>
);

function Costs({ box, batch }: { box: Box; batch: number | undefined }) {
  const { node } = box;
  const elements = elementsOf(box);
  return (
    <dl>
      <dt>Parameters</dt>
      <dd>{box.parameters.toLocaleString("en")}{node!.buffers ? `, ${node!.buffers.toLocaleString("en")} in buffers` : ""}</dd>
      <dt>Operations</dt>
      <dd>{node!.flops === undefined ? "–" : `${node!.flops.toLocaleString("en")} per example`}</dd>
      {elements !== null && (
        <>
          <dt>Output size</dt>
          <dd>{formatBytes(elements * 4)} per example{batch ? `, ${formatBytes(elements * 4 * batch)} per batch` : ""}</dd>
        </>
      )}
    </dl>
  );
}

/** The outputs of a node; the name of the node alone is another one of the first of several. */
const outputsOf = (box: Box) => [...box.values].filter(([name]) => box.values.size === 1 || name !== box.name);

/** Elements of the outputs for one example; null if a shape is not known or has no batch. */
function elementsOf(box: Box): number | null {
  let sum = 0;
  for (const [, value] of outputsOf(box)) {
    if (!value.shape?.length || !String(value.shape[0]).includes("N")) return null;
    const rows = Number(String(value.shape[0]).replace(/\*?N/, "") || 1);
    sum += value.shape.slice(1).reduce<number>((product, size) => product * Number(size), rows);
  }
  return Number.isFinite(sum) ? sum : null;
}

function Weights({ weights }: { weights: [string, number[]][] }) {
  return (
    <table>
      <caption class="visually-hidden">Parameters</caption>
      <thead><tr><th scope="col">Parameter</th><th scope="col">Shape</th><th scope="col" class="number">Elements</th></tr></thead>
      <tbody>
        {weights.map(([name, shape]) => (
          <tr key={name}>
            <td><code>{name}</code></td>
            <td>{formatShape({ shape })}</td>
            <td class="number">{shape.reduce((product, size) => product * size, 1).toLocaleString("en")}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Inside({ jobId, paths, every, step }: { jobId: string; paths: string[]; every: number | undefined; step: number }) {
  const [path, setPath] = useState(paths[0]!);
  const load = (signal: AbortSignal) => get<Statistics>(`/v1/jobs/${jobId}/statistics`, { nodes: statisticPath(path), max_points: 250 }, signal);
  const { data } = useResource(load, [jobId, path], every);
  const series = Object.entries(data?.nodes[statisticPath(path)] ?? {}).sort(([a], [b]) => order(a) - order(b) || a.localeCompare(b));
  if (!data || (!series.length && paths.length === 1)) return null;
  return (
    <section aria-label="While it is trained">
      <h3>While it is trained</h3>
      {paths.length > 1 && (
        <select aria-label="Which of the equal bodies" value={path} onChange={(event) => setPath(event.currentTarget.value)}>
          {paths.map((each) => <option key={each} value={each}>{each}</option>)}
        </select>
      )}
      <div class="inside-multiples">{series.map(([name, buckets]) => <SmallMultiple key={name} name={name} buckets={buckets} step={step} />)}</div>
      <HistogramMap key={path} jobId={jobId} path={path} every={every} />
    </section>
  );
}

const order = (name: string): number => QUANTITIES.findIndex((each) => name.startsWith(each.id));
