import type { Checkpoint } from "../../../api/schema";
import { Time } from "../../../ui/Time";
import { formatBytes, formatNumber, toNumber } from "../../../ui/format";

interface Props {
  items: readonly Checkpoint[];
  series: readonly string[];
  open: string | null;
  marked: readonly string[];
  onMark: (id: string, on: boolean) => void;
  onOpen: (id: string) => void;
}

/** The checkpoints of a job, newest first, with their values. */
export function CheckpointTable({ items, series, open, marked, onMark, onOpen }: Props) {
  const edited = items.some((each) => each.revision > 1);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Checkpoints">
      <table class="checkpoints-table">
        <thead>
          <tr>
            <th><span class="visually-hidden">Compare</span></th><th class="number">Step</th><th class="number">Epoch</th>{edited && <th class="number">Revision</th>}<th>Marks</th>
            {series.map((name) => <th key={name} class="number">{name}</th>)}<th class="number">Weights</th><th>Saved</th><th><span class="visually-hidden">Details</span></th>
          </tr>
        </thead>
        <tbody>
          {items.map((each) => (
            <tr key={each.id} class={each.id === open ? "open" : ""}>
              <td><input type="checkbox" aria-label={`Compare step ${each.step}`} checked={marked.includes(each.id)} onChange={(event) => onMark(each.id, event.currentTarget.checked)} /></td>
              <td class="number">{formatNumber(each.step)}</td>
              <td class="number">{formatNumber(each.epoch)}</td>
              {edited && <td class="number">{each.revision}</td>}
              <td>{each.best && <span class="tag">★ best</span>} {each.final && <span class="tag">■ last</span>}</td>
              {series.map((name) => <td key={name} class="number">{each.values[name] === undefined ? "–" : formatNumber(toNumber(each.values[name]))}</td>)}
              <td class="number">{formatBytes(each.files.find((file) => file.name === "weights.safetensors")?.size ?? 0)}</td>
              <td><Time at={each.created_at} /></td>
              <td><button type="button" aria-expanded={each.id === open} onClick={() => onOpen(each.id)}>Files<span class="visually-hidden"> of step {each.step}</span></button></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
