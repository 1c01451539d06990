import { computed, signal } from "@preact/signals";
import { call, get, pause, post } from "../../api/client";
import { messageOf } from "../../ui/Message";
import type { Dataset } from "../../api/schema";
import { fingerprint, upload, type Fingerprint, type Progress, type UploadApi } from "./upload";

export type UploadPhase = "sending" | "paused" | "ready" | "failed";

/** A file that goes to a data set; it goes on while other pages are shown. */
export interface Upload extends Progress {
  id: string; // of the data set
  file: File;
  phase: UploadPhase;
  began: { at: number; received: number }; // for the rate
  error: unknown;
}

/** The uploads of this window, the newest first. */
export const uploads = signal<readonly Upload[]>([]);

export const uploading = computed(() => uploads.value.some((each) => each.phase === "sending"));

const controllers = new Map<string, AbortController>();

const API: UploadApi = {
  read: (id, signal) => get<Dataset>(`/v1/datasets/${id}`, {}, signal),
  put: (id, piece, contentRange, signal) =>
    call<Dataset>("PUT", `/v1/datasets/${id}/content`, {
      body: piece, contentType: "application/octet-stream", headers: { "Content-Range": contentRange }, signal,
    }),
  pause,
};

/** Register a data set for a file, and send it. Rejects if it cannot be registered. */
export async function startUpload(file: File, name: string, source: Record<string, unknown>): Promise<string> {
  const print = await fingerprint(file);
  const dataset = await post<Dataset>("/v1/datasets", { name, source: { kind: "upload", file: file.name, ...source } });
  remember(dataset.id, print);
  void send(dataset.id, file);
  return dataset.id;
}

/** Go on with an upload of an earlier page. Rejects if it is another file than the one that was begun with. */
export async function resumeUpload(id: string, file: File): Promise<void> {
  const known = pendingFiles()[id];
  const print = await fingerprint(file);
  if (known && (known.size !== print.size || known.hash !== print.hash)) {
    throw new Error(`this is not the file that was begun with: “${known.name}”, ${known.size.toLocaleString("en")} bytes`);
  }
  remember(id, print);
  void send(id, file);
}

export const pauseUpload = (id: string): void => controllers.get(id)?.abort();

export function goOn(id: string): void {
  const found = uploads.value.find((each) => each.id === id);
  if (found) void send(id, found.file);
}

export function forgetUpload(id: string): void {
  pauseUpload(id);
  uploads.value = uploads.value.filter((each) => each.id !== id);
}

async function send(id: string, file: File): Promise<void> {
  controllers.get(id)?.abort();
  const controller = new AbortController();
  controllers.set(id, controller);
  const received = uploads.value.find((each) => each.id === id)?.received ?? 0;
  const start: Upload = {
    id, file, phase: "sending", received, reading: false, waits: null, began: { at: Date.now(), received: -1 }, error: undefined,
  };
  uploads.value = [start, ...uploads.value.filter((each) => each.id !== id)];
  try {
    await upload(API, id, file, (progress) => progressed(id, progress), controller.signal);
    change(id, { phase: "ready", received: file.size, reading: false, waits: null });
    forgetFile(id);
  } catch (error) {
    if (controllers.get(id) !== controller) return; // it was sent anew
    if (controller.signal.aborted) change(id, { phase: "paused", reading: false, waits: null });
    else change(id, { phase: "failed", reading: false, waits: null, error });
  }
}

function progressed(id: string, progress: Progress): void {
  const began = uploads.value.find((each) => each.id === id)?.began;
  const first = began?.received === -1; // what an earlier page sent does not count for the rate
  change(id, { ...progress, ...(first && { began: { at: Date.now(), received: progress.received } }) });
}

function change(id: string, changes: Partial<Upload>): void {
  uploads.value = uploads.value.map((each) => (each.id === id ? { ...each, ...changes } : each));
}

const STORE = "graftwerk-uploads";

/** The files that data sets of this browser were begun with and have not had in full. */
export function pendingFiles(): Record<string, Fingerprint> {
  try {
    return JSON.parse(localStorage.getItem(STORE) ?? "{}") as Record<string, Fingerprint>;
  } catch {
    return {};
  }
}

function store(files: Record<string, Fingerprint>): void {
  try {
    localStorage.setItem(STORE, JSON.stringify(files));
  } catch (error) {
    console.warn(`the upload cannot be remembered: ${messageOf(error)}`);
  }
}

const remember = (id: string, print: Fingerprint) => store({ ...pendingFiles(), [id]: print });

export function forgetFile(id: string): void {
  store(Object.fromEntries(Object.entries(pendingFiles()).filter(([key]) => key !== id)));
}

/** Leaving the page ends what is being sent: the browser asks first. */
addEventListener("beforeunload", (event) => {
  if (uploading.value) event.preventDefault();
});
