import { get } from "../../api/client";
import { useResource } from "../../api/resource";
import type { Usage, UsedLimit } from "../../api/schema";
import { formatBytes, formatNumber } from "../../ui/format";
import { Loaded } from "../../ui/Loaded";
import { ProgressBar } from "../../ui/ProgressBar";

const NAMES: Record<string, string> = {
  requests: "Requests",
  priority: "Highest priority of a job",
  running_jobs: "Jobs that run",
  queued_jobs: "Jobs that wait",
  parameters: "Parameters of a network",
  stored_bytes: "Stored data and checkpoints",
  unfinished_uploads: "Unfinished uploads",
};

/** What the key that is signed in may use, and what it uses. */
export function UsagePanel() {
  const usage = useResource((signal) => get<Usage>("/v1/usage", {}, signal), [], 10_000);
  return (
    <section>
      <h1>Keys and limits</h1>
      <Loaded resource={usage} what="limits">
        {({ owner, key, limits }) => (
          <>
            <p>
              {key ? <>Signed in with <strong>{key.name}</strong> ({key.scopes.join(", ")}) of <strong>{owner}</strong>.</> : "Authentication is off: everybody may do everything."}
            </p>
            <div class="scroll" tabIndex={0} role="region" aria-label="Limits">
              <table class="usage">
                <thead><tr><th>Limit</th><th>Of</th><th class="number">Used</th><th class="number">At most</th><th><span class="visually-hidden">Share</span></th></tr></thead>
                <tbody>{limits.map((limit) => <Row key={limit.name} of={limit} />)}</tbody>
              </table>
            </div>
          </>
        )}
      </Loaded>
    </section>
  );
}

function Row({ of: { name, limit, used, of } }: { of: UsedLimit }) {
  const format = (value: number) => (name === "stored_bytes" ? formatBytes(value) : formatNumber(value));
  const most = typeof limit === "number" ? format(limit) : limit || "no limit";
  const share = typeof limit === "number" && limit > 0 && used !== null ? used / limit : null;
  return (
    <tr>
      <td>{NAMES[name] ?? name}</td>
      <td>{of}</td>
      <td class="number">{used === null ? "–" : format(used)}</td>
      <td class="number">{most}</td>
      <td>{share !== null && <ProgressBar value={share} label={`${NAMES[name] ?? name} used`} />}</td>
    </tr>
  );
}
