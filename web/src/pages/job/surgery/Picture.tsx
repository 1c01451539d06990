import { useMemo } from "preact/hooks";
import { post } from "../../../api/client";
import { useResource } from "../../../api/resource";
import type { DryRun } from "../../../api/schema";
import type { InspectedNetwork } from "../../../graph/model/inspection";
import { NetworkDrawing } from "../../../graph/NetworkDrawing";
import { marksOf } from "../network/RevisionDiff";

interface Props {
  network: InspectedNetwork; // of the current revision
  result: DryRun | undefined;
  label: string;
  selected: string | null;
  onSelect: (path: string | null) => void;
}

/** The network as it is; after a dry run as it would be, with what came and what changed marked. */
export function Picture({ network, result, label, ...selection }: Props) {
  const spec = result?.spec;
  const { data } = useResource(
    async (signal) => (spec ? (await post<{ inspection: InspectedNetwork }>("/v1/jobs/validate", spec, { signal, idempotent: false })).inspection : undefined),
    [spec],
  );
  const marks = useMemo(() => result && marksOf(result.diff), [result]);
  const shown = data && spec ? data : network;
  const mark = data && spec ? marks?.after : marks?.before;
  return (
    <div class="stack surgery-picture">
      <p class="muted">{!result ? `As it is: ${label}` : data ? "As it would be after the edit" : "As it is, with what the edit would change"}</p>
      <NetworkDrawing inspection={shown} marks={mark} label={label} legend={false} {...selection} />
    </div>
  );
}
