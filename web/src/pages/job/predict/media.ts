/** The media type by which the service knows a file of rows; what it does not know is told by its content. */
const TYPES: Record<string, string> = {
  csv: "text/csv", tsv: "text/tab-separated-values", jsonl: "application/x-ndjson", ndjson: "application/x-ndjson",
  parquet: "application/vnd.apache.parquet", npz: "application/x-npz", safetensors: "application/x-safetensors",
  zip: "application/zip", txt: "text/plain", conll: "text/plain", conllu: "text/plain",
  png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", bmp: "image/bmp", gif: "image/gif", webp: "image/webp",
};

export const mediaType = (name: string): string => TYPES[name.split(".").at(-1)?.toLowerCase() ?? ""] ?? "application/octet-stream";
