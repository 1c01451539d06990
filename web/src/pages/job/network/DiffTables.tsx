import type { NetworkDiff } from "../../../api/schema";
import { formatBytes } from "../../../ui/format";

const BYTES = new Set(["weights", "gradients", "optimizer", "average", "activations", "total"]);

/** The counts and the settings that differ between two revisions, and the nodes by path. */
export function DiffTables({ diff }: { diff: NetworkDiff }) {
  const totals = Object.entries(diff.totals).filter(([, { before, after }]) => before !== after);
  const settings = Object.entries(diff.settings);
  const nodes = [
    ...Object.entries(diff.removed).map(([path, node]) => [path, "removed", node, null] as const),
    ...Object.entries(diff.added).map(([path, node]) => [path, "added", null, node] as const),
    ...Object.entries(diff.changed).map(([path, { before, after }]) => [path, "changed", before, after] as const),
  ];
  if (!totals.length && !settings.length && !nodes.length) return <p class="muted">Nothing differs.</p>;
  return (
    <>
      {totals.length > 0 && (
        <BeforeAfter caption="Counts and memory" rows={totals.map(([name, each]) => [name, amount(name, each["before"]), amount(name, each["after"])])} />
      )}
      {settings.length > 0 && (
        <BeforeAfter caption="Settings outside of the network" rows={settings.map(([pointer, each]) => [pointer, text(each["before"]), text(each["after"])])} />
      )}
      {nodes.length > 0 && (
        <BeforeAfter caption="Nodes" rows={nodes.map(([path, word, before, after]) => [`${path} (${word})`, fields(before), fields(after)])} />
      )}
    </>
  );
}

function BeforeAfter({ caption, rows }: { caption: string; rows: string[][] }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <caption class="network-caption">{caption}</caption>
        <thead><tr><th scope="col">What</th><th scope="col">Before</th><th scope="col">After</th></tr></thead>
        <tbody>
          {rows.map(([name, before, after]) => (
            <tr key={name}><th scope="row"><code>{name}</code></th><td>{before}</td><td>{after}</td></tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const amount = (name: string, value: unknown): string =>
  typeof value !== "number" ? "–" : BYTES.has(name) ? formatBytes(value) : value.toLocaleString("en");

const text = (value: unknown): string => (value === undefined || value === null ? "–" : JSON.stringify(value));

/** The fields of a node in one line: "kind Linear, parameters 130, output N × 10". */
function fields(node: Record<string, unknown> | null): string {
  if (!node) return "–";
  return Object.entries(node).map(([name, value]) => `${name} ${brief(value)}`).join(", ") || "–";
}

function brief(value: unknown): string {
  if (typeof value === "number") return value.toLocaleString("en");
  if (Array.isArray(value)) return value.join(", ");
  if (typeof value === "object" && value !== null) {
    const { shape } = value as { shape?: unknown[] };
    return shape ? shape.join(" × ") || "scalar" : Object.entries(value).map(([name, each]) => `${name} ${brief(each)}`).join("; ");
  }
  return String(value);
}
