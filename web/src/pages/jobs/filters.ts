import type { Query } from "../../api/client";

/** What the list of jobs is filtered by, as it stands in the address. */
export interface Filters {
  statuses: string[];
  search: string; // a part of the name
  name: string; // the whole name
  labels: [key: string, value: string][];
  deleted: boolean; // the trash
}

export const STATUSES = ["queued", "running", "paused", "succeeded", "failed", "cancelled"] as const;
const JOB_ID = /^job_[0-9a-f]{32}$/;

export function readFilters(parameters: URLSearchParams): Filters {
  return {
    statuses: parameters.getAll("status").filter((each) => (STATUSES as readonly string[]).includes(each)),
    search: parameters.get("search") ?? "",
    name: parameters.get("name") ?? "",
    labels: parameters.getAll("label").map(parseLabel).filter((label) => label !== null),
    deleted: parameters.get("deleted") === "true",
  };
}

/** A label as people write it, "team=vision"; null for what is none. */
export function parseLabel(text: string): [key: string, value: string] | null {
  const at = text.indexOf("=");
  const [key, value] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  return at < 1 || !key || !value ? null : [key, value];
}

export const formatLabel = ([key, value]: readonly [key: string, value: string]): string => `${key}=${value}`;

/** The parameters of `GET /v1/jobs`. */
export function apiQuery({ statuses, search, name, labels, deleted }: Filters): Query {
  return {
    status: statuses,
    search,
    name,
    deleted: deleted || null,
    ...Object.fromEntries(labels.map(([key, value]) => [`metadata[${key}]`, value])),
  };
}

export const isFiltered = ({ statuses, search, name, labels }: Filters): boolean =>
  statuses.length > 0 || search !== "" || name !== "" || labels.length > 0;

/** The id in a text that is nothing but a job's id, or an address of its page. */
export function jobIdIn(text: string): string | null {
  const last = text.trim().replace(/\/+$/, "").split("/").at(-1) ?? "";
  return JOB_ID.test(last) ? last : null;
}
