import { get } from "../../../api/client";
import { useResource } from "../../../api/resource";
import type { CheckpointPage } from "../../../api/schema";
import { setQuery } from "../../../shell/router";
import { formatNumber, toNumber } from "../../../ui/format";

/** Which checkpoint is looked at: `?checkpoint=`; without it the best. */
export function CheckpointChoice({ jobId, chosen, latest }: { jobId: string; chosen: string | null; latest: string }) {
  const { data } = useResource((signal) => get<CheckpointPage>(`/v1/jobs/${jobId}/checkpoints`, {}, signal), [jobId, latest]);
  return (
    <label>
      Checkpoint{" "}
      <select value={chosen ?? ""} onChange={(event) => setQuery({ checkpoint: event.currentTarget.value || null })}>
        <option value="">the best</option>
        {data?.items.map((each) => {
          const told = ["val/return", "val/loss"].find((name) => name in each.values);
          return <option key={each.id} value={each.id}>step {formatNumber(each.step)}{told && `, ${told} ${formatNumber(toNumber(each.values[told]))}`}{each.final ? ", the last" : ""}</option>;
        })}
      </select>
    </label>
  );
}
