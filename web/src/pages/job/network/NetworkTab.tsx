import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import type { Edit, Job } from "../../../api/schema";
import { NetworkDrawing } from "../../../graph/NetworkDrawing";
import { boxesTo, buildTree } from "../../../graph/model/tree";
import { queryParameters, setQuery } from "../../../shell/router";
import { Loading, Problems } from "../../../ui/Message";
import { formatBytes } from "../../../ui/format";
import type { JobTabProps } from "../tabs";
import { InsideControls } from "./InsideControls";
import { NodeDetails } from "./NodeDetails";
import { RevisionDiff } from "./RevisionDiff";
import { RevisionPicker } from "./RevisionPicker";
import { useInside } from "./useInside";
import { useRevision, useRevisions } from "./useRevisions";
import "./network.css";

/** The network of a job: its drawing, a node's details, what happens inside it, and its revisions. The view is in the address. */
export default function NetworkTab({ job }: JobTabProps) {
  const query = queryParameters.value;
  const revisions = useRevisions(job);
  const number = numberIn(query.get("revision"), job.revision) ?? job.revision;
  const other = numberIn(query.get("with"), job.revision);
  const revision = revisions.find((each) => each.number === number)!;
  const compared = revisions.find((each) => each.number === other && other !== number);
  const picker = <RevisionPicker revisions={revisions} current={number} compared={compared?.number ?? null} />;
  if (!compared) return <OneRevision job={job} number={number} edit={revision.edit} picker={picker} />;
  const [from, to] = number < compared.number ? [revision, compared] : [compared, revision];
  return (
    <div class="stack">
      {picker}
      <RevisionDiff key={`${from.number} ${to.number}`} job={job} from={from} to={to} />
    </div>
  );
}

interface RevisionProps {
  job: Job;
  number: number;
  edit: Edit | null;
  picker: ComponentChildren;
}

function OneRevision({ job, number, edit, picker }: RevisionProps) {
  const query = queryParameters.value;
  const selected = query.get("node");
  const current = number === job.revision;
  const quantity = current ? query.get("inside") : null;
  const inside = useInside(job, quantity, query.get("at") === null ? null : Number(query.get("at")));
  const { network, spec, error, reload } = useRevision(job, number, edit);
  const root = useMemo(() => network && buildTree(network), [network]);
  if (!network || !root) return error ? <Problems error={error} retry={reload} /> : <Loading what="the network" />;
  const box = selected ? boxesTo(root, selected).at(-1) : undefined;
  const select = (path: string | null) => setQuery({ node: path });
  const totals = network.totals ?? {};
  return (
    <div class="stack">
      <div class="row">
        {picker}
        {current && <InsideControls inside={inside} quantity={quantity} />}
      </div>
      {inside.error !== undefined && <Problems error={inside.error} />}
      <p class="muted network-totals">
        {(totals["parameters"] ?? 0).toLocaleString("en")} parameters, {(totals["trainable"] ?? 0).toLocaleString("en")} trained;{" "}
        {(totals["flops"] ?? 0).toLocaleString("en")} operations per example
        {network.memory?.["total"] !== undefined && `; ${formatBytes(network.memory["total"])} for a training step of ${network.memory["batch_size"]} examples`}
      </p>
      <div class={box ? "network-split" : ""}>
        <NetworkDrawing inspection={network} selected={selected} onSelect={select} overlay={inside.overlay} badges={current ? inside.badges : undefined} label={job.name} />
        {box && (
          <NodeDetails
            jobId={job.id} box={box} spec={spec} batch={network.memory?.["batch_size"]}
            inside={current ? { every: inside.every, step: quantity && inside.steps.length ? inside.step : Infinity } : null} onSelect={select}
          />
        )}
      </div>
    </div>
  );
}

/** A number of a revision in the address; null for what is none. */
function numberIn(text: string | null, most: number): number | null {
  const number = Number(text ?? NaN);
  return Number.isInteger(number) && number >= 1 && number <= most ? number : null;
}
