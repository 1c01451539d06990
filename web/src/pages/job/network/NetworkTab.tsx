import { get } from "../../../api/client";
import { useResource } from "../../../api/resource";
import { NetworkDrawing } from "../../../graph/NetworkDrawing";
import type { InspectedNetwork } from "../../../graph/model/inspection";
import { Loading, Problems } from "../../../ui/Message";
import type { JobTabProps } from "../tabs";
import { useState } from "preact/hooks";

export default function NetworkTab({ job }: JobTabProps) {
  const { data, error, reload } = useResource((signal) => get<InspectedNetwork>(`/v1/jobs/${job.id}/network`, {}, signal), [job.id]);
  const [selected, setSelected] = useState<string | null>(null);
  if (!data) return error ? <Problems error={error} retry={reload} /> : <Loading what="the network" />;
  return <NetworkDrawing inspection={data} selected={selected} onSelect={setSelected} label={job.name} />;
}
