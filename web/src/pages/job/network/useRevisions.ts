import { get } from "../../../api/client";
import { useResource } from "../../../api/resource";
import type { Edit, EditDetail, Job } from "../../../api/schema";
import type { InspectedNetwork } from "../../../graph/model/inspection";

/** What made a revision of a job. */
export interface Revision {
  number: number;
  edit: Edit | null; // null: the spec as it was sent
}

/** Every edit of a job, oldest first. */
export async function readEdits(jobId: string, signal: AbortSignal): Promise<Edit[]> {
  const edits: Edit[] = [];
  for (;;) {
    const page = await get<{ items: Edit[]; has_more: boolean }>(`/v1/jobs/${jobId}/edits`, { after: edits.at(-1)?.id, limit: 100 }, signal);
    edits.push(...page.items);
    if (!page.has_more) return edits;
  }
}

/** The revisions of a job, newest first. */
export function useRevisions(job: Job): Revision[] {
  const { data } = useResource((signal) => readEdits(job.id, signal), [job.id, job.revision]);
  const made = (data ?? []).filter((edit) => edit.revision !== null).map((edit) => ({ number: edit.revision!, edit }));
  const known = new Map([{ number: 1, edit: null }, ...made].map((each) => [each.number, each]));
  return Array.from({ length: job.revision }, (_, index) => known.get(job.revision - index) ?? { number: job.revision - index, edit: null });
}

/** The inspection of a revision's network, and its spec. Neither changes any more. */
export function useRevision(job: Job, revision: number, edit: Edit | null | undefined) {
  const network = useResource((signal) => get<InspectedNetwork>(`/v1/jobs/${job.id}/network`, { revision }, signal), [job.id, revision]);
  const number = edit?.id ?? null;
  const spec = useResource<unknown>(
    async (signal) => (number === null ? job.spec : (await get<EditDetail>(`/v1/jobs/${job.id}/edits/${number}`, {}, signal)).spec),
    [job.id, revision, number],
  );
  return { network: network.data, error: network.error, reload: network.reload, spec: spec.data };
}

/** What an edit did, in a few words: "widen fc1, set training.optimizer.lr". */
export function describeEdit(edit: Edit): string {
  if (edit.checkpoint) return `back to revision ${edit.parent}, step ${edit.step}`;
  const words = edit.operations.map((operation) => {
    const fields = operation as Record<string, unknown>;
    const target = fields["node"] ?? fields["after"] ?? fields["before"] ?? fields["path"] ?? fields["nodes"] ?? "";
    const name = typeof target === "object" && target !== null ? ((target as { id?: unknown; kind?: unknown }).id ?? (target as { kind?: unknown }).kind ?? "") : target;
    return `${String(fields["op"]).replaceAll("_", " ")} ${String(name)}`.trim();
  });
  return words.length > 3 ? `${words.slice(0, 3).join(", ")} and ${words.length - 3} more` : words.join(", ");
}
