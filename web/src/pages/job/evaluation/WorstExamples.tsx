import { useState } from "preact/hooks";
import { imageOf } from "../../../ui/data";
import { DataValue } from "../../../ui/DataValue";
import { formatNumber, formatPercent } from "../../../ui/format";
import { saidText, type Head, type WorstExample } from "./report";

const SHOWN = 8;

/** The examples that the network is most wrong about, with their rows. */
export function WorstExamples({ head }: { head: Head }) {
  const worst = head.worst ?? [];
  const [all, setAll] = useState(false);
  const values = worst.find((each) => each.values)?.values ?? {};
  const names = Object.keys(values).filter((name) => name !== head.target);
  const pictures = names.filter((name) => imageOf(values[name]));
  const others = names.filter((name) => !pictures.includes(name));
  const numbers = head.about === "numbers";
  if (worst.length === 0) return null;
  return (
    <section>
      <h3>Worst examples</h3>
      <p class="hint">{numbers ? "Those with the largest errors." : "Those whose truth the network found least likely (the mean of −log p, in nats)."}</p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Worst examples">
        <table class="evaluation-worst">
          <thead><tr><th class="number">Row</th>{pictures.map((name) => <th key={name}>{name}</th>)}<th>True</th><th>Predicted</th><th class="number">{numbers ? "Error" : "−log p"}</th>{others.map((name) => <th key={name}>{name}</th>)}</tr></thead>
          <tbody>{(all ? worst : worst.slice(0, SHOWN)).map((each, index) => <WorstRow key={index} example={each} pictures={pictures} others={others} />)}</tbody>
        </table>
      </div>
      {!all && worst.length > SHOWN && <button type="button" onClick={() => setAll(true)}>Show all {worst.length}</button>}
    </section>
  );
}

interface RowProps {
  example: WorstExample;
  pictures: string[]; // columns
  others: string[];
}

function WorstRow({ example: { row, split, values, wrongness, target, predicted, probability }, pictures, others }: RowProps) {
  const cell = (name: string) => (
    <td key={name}>{values ? <DataValue value={values[name]} name={`${name} of row ${row + 1}`} long /> : <span class="muted">not kept</span>}</td>
  );
  return (
    <tr>
      <td class="number" title={split ? `of ${split}` : undefined}>{formatNumber(row + 1)}</td>
      {pictures.map(cell)}
      <td>{sayNumber(target)}</td>
      <td>
        <Predicted target={target} predicted={predicted} />
        {typeof probability === "number" && <p class="hint">{formatPercent(probability)} for the true one</p>}
      </td>
      <td class="number">{wrongness === null ? "no number" : formatNumber(wrongness)}</td>
      {others.map(cell)}
    </tr>
  );
}

const sayNumber = (said: WorstExample["target"]): string => (typeof said === "number" ? formatNumber(said) : saidText(said));

/** What was said; of lists of equal length (tags), what differs is marked. */
function Predicted({ target, predicted }: Pick<WorstExample, "target" | "predicted">) {
  if (!Array.isArray(target) || !Array.isArray(predicted) || target.length !== predicted.length) return <>{sayNumber(predicted)}</>;
  return <>{predicted.map((each, index) => (each === target[index] ? `${each} · ` : <mark key={index}>{each} · </mark>))}</>;
}
