import { ApiError } from "../../api/problem";
import type { Dataset } from "../../api/schema";

export interface UploadApi {
  read: (id: string, signal: AbortSignal) => Promise<Dataset>;
  put: (id: string, piece: Blob, contentRange: string, signal: AbortSignal) => Promise<Dataset>;
  pause: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** How far an upload is. `waits`: why the last piece did not arrive; it is sent again. */
export interface Progress {
  received: number; // bytes that the service has
  reading: boolean; // all bytes are under way or there, and the service reads them
  waits: string | null;
}

const FIRST_PIECE = 1 << 20; // bytes
const LARGEST_PIECE = 32 << 20;
const QUICK_MS = 1500; // a piece that takes less is followed by one twice as large
const TEMPORARY = new Set([0, 408, 429, 502, 503, 504, 507]);
const MAX_CONFLICTS = 5; // in a row: another window sends the same file
const MAX_PAUSE_MS = 30_000;

/**
 * Send a file in consecutive pieces from where the last upload ended, none of which is read before it is sent.
 *
 * A piece that does not arrive is sent again from what the service has received (the API's page, "Content in chunks").
 * Resolves with the data set once it is ready; rejects with the problem, or when `signal` is aborted.
 */
export async function upload(
  api: UploadApi, id: string, file: Blob, onProgress: (progress: Progress) => void, signal: AbortSignal,
): Promise<Dataset> {
  let received: number | null = null; // not known: to be asked for
  let piece = FIRST_PIECE;
  let failures = 0;
  let conflicts = 0;
  for (;;) {
    try {
      if (received === null) {
        const dataset = await api.read(id, signal);
        if (dataset.status === "ready") return dataset;
        received = Math.min(dataset.received, file.size);
      }
      const end = Math.min(file.size, received + piece);
      onProgress({ received, reading: end === file.size, waits: null });
      const began = performance.now();
      const dataset = await api.put(id, file.slice(received, end), rangeOf(received, end, file.size), signal);
      if (dataset.status === "ready") return dataset;
      received = dataset.received;
      failures = conflicts = 0;
      if (performance.now() - began < QUICK_MS) piece = Math.min(LARGEST_PIECE, 2 * piece);
    } catch (error) {
      if (signal.aborted || !(error instanceof ApiError)) throw error;
      if (error.status === 409 ? ++conflicts > MAX_CONFLICTS : !TEMPORARY.has(error.status)) throw error;
      if (error.status === 408) piece = Math.max(FIRST_PIECE / 16, piece / 4); // the line is slow
      onProgress({ received: received ?? 0, reading: false, waits: reasonOf(error) });
      received = null;
      const wait = error.status === 409 ? 300 : (error.retryAfter ?? 0) * 1000 || 500 * 2 ** failures++;
      await api.pause(Math.min(MAX_PAUSE_MS, wait), signal);
    }
  }
}

const rangeOf = (start: number, end: number, size: number): string =>
  start < end ? `bytes ${start}-${end - 1}/${size}` : `bytes */${size}`;

function reasonOf(error: ApiError): string {
  if (error.offline) return "The service cannot be reached.";
  const reasons: Record<number, string> = {
    408: "The line was too slow for a piece: smaller ones follow.",
    409: "The service has another part than was sent: asking how far it is.",
    507: "The service's disk is full.",
  };
  return reasons[error.status] ?? error.message;
}

/** What tells a file from others of its name and size: its time, and a hash of its first and last 64 KiB. */
export interface Fingerprint {
  name: string;
  size: number;
  hash: string;
}

const EDGE = 1 << 16;

export async function fingerprint(file: File): Promise<Fingerprint> {
  const edges = [file.slice(0, EDGE), file.slice(Math.max(EDGE, file.size - EDGE))];
  const parts = await Promise.all(edges.map(async (edge) => new Uint8Array(await edge.arrayBuffer())));
  return { name: file.name, size: file.size, hash: parts.map(hashOf).join("-") };
}

/** FNV-1a, 32 bits: it tells mistakes apart, and works without a secure context. */
function hashOf(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16);
}
