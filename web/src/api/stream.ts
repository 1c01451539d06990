import { send, pause } from "./client";
import { ApiError } from "./problem";

/** An event of a job. Streamed events of the kind "metrics" carry their points (`data.points`), listed ones do not. */
export interface JobEvent {
  id: number;
  kind: string;
  data: Record<string, unknown>;
}

/** What a stream is: "live" through server-sent events, "polling" while other tabs hold all streams, or "offline". */
export type StreamState = "connecting" | "live" | "polling" | "offline" | "done";

interface Follower {
  after: number; // the number of the last event that is known
  onEvents: (events: JobEvent[]) => void; // in their order, none left out and none twice
  onState?: (state: StreamState) => void;
  signal: AbortSignal;
}

// A browser opens six connections to a host for all its tabs (HTTP/1.1): streams leave four of them to requests.
const MAX_STREAMS = 2;
const SILENCE_MS = 40_000; // the service writes something every 15 s: a connection without that is dead
const POLL_MS = 2000;
const PAGE = 500;

/** Follow a job's events until its last one, through interruptions. Resolves at the end; rejects when aborted or denied. */
export async function followEvents(jobId: string, follower: Follower): Promise<void> {
  let { after } = follower;
  const { signal } = follower;
  const deliver = (events: JobEvent[]) => {
    const fresh = events.filter((event) => event.id > after);
    const last = fresh.at(-1);
    if (last === undefined) return;
    after = last.id;
    follower.onEvents(fresh);
  };
  for (let failures = 0; ; ) {
    try {
      const done = await withStreamPlace(
        async () => {
          await readStream(jobId, after, deliver, () => {
            failures = 0;
            follower.onState?.("live");
          }, signal);
          return true;
        },
        async () => {
          follower.onState?.("polling");
          deliver(await readEvents(jobId, after, signal));
          failures = 0;
          await pause(POLL_MS, signal);
          return false;
        },
      );
      if (done) {
        follower.onState?.("done");
        return;
      }
    } catch (error) {
      if (signal.aborted || (error instanceof ApiError && [401, 403, 404].includes(error.status))) throw error;
      follower.onState?.("offline");
      await pause(Math.min(10_000, 250 * 2 ** failures++) * (0.75 + Math.random() / 2), signal);
    }
  }
}

async function withStreamPlace<T>(stream: () => Promise<T>, poll: () => Promise<T>): Promise<T> {
  if (!navigator.locks) return stream(); // an insecure origin other than localhost
  const held = new Set((await navigator.locks.query()).held?.map((lock) => lock.name));
  for (let place = 0; place < MAX_STREAMS; place++) {
    const name = `graftwerk-stream-${place}`;
    if (held.has(name)) continue;
    const result = await navigator.locks.request(name, { ifAvailable: true }, async (lock) => (lock ? { value: await stream() } : null));
    if (result) return result.value;
  }
  return poll();
}

/** Events after a number, as pages. */
export async function readEvents(jobId: string, after: number, signal?: AbortSignal): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  for (;;) {
    const response = await send("GET", `/v1/jobs/${jobId}/events`, { query: { after: events.at(-1)?.id ?? after, limit: PAGE }, signal });
    const page = (await response.json()) as { items: JobEvent[]; has_more: boolean };
    events.push(...page.items);
    if (!page.has_more) return events;
  }
}

/** Read one stream to the event `done`; rejects if it breaks off before. */
async function readStream(jobId: string, after: number, deliver: (events: JobEvent[]) => void, onOpen: () => void, signal: AbortSignal) {
  const headers: Record<string, string> = after ? { "Last-Event-ID": String(after) } : {};
  const response = await send("GET", `/v1/jobs/${jobId}/stream`, { accept: "text/event-stream", headers, signal });
  onOpen();
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let parts: string[] = [];
  for (;;) {
    const { value, done } = await beforeSilence(reader);
    if (done) throw new ApiError(0, { code: "interrupted", detail: "the stream broke off" });
    const boundary = value.includes("\n\n") || (value.startsWith("\n") && parts.at(-1)?.endsWith("\n"));
    parts.push(value);
    if (!boundary) continue; // an event may come in a thousand parts
    const { messages, rest } = parseMessages(parts.join(""));
    parts = [rest];
    deliver(messages.filter((message) => message.event !== "done" && message.data).map(eventOf));
    if (messages.some((message) => message.event === "done")) return;
  }
}

/** Read on; a connection that has become silent, as after a sleep of the machine, is given up. */
async function beforeSilence(reader: ReadableStreamDefaultReader<string>): Promise<ReadableStreamReadResult<string>> {
  const timer = setTimeout(() => void reader.cancel(), SILENCE_MS);
  try {
    return await reader.read();
  } finally {
    clearTimeout(timer);
  }
}

export interface StreamMessage {
  id: string;
  event: string;
  data: string;
}

/** Split what was received into whole messages and the beginning of the next one. */
export function parseMessages(text: string): { messages: StreamMessage[]; rest: string } {
  const blocks = text.split("\n\n");
  const rest = blocks.pop()!;
  const messages = blocks.map((block) => {
    const message: StreamMessage = { id: "", event: "message", data: "" };
    for (const line of block.split("\n")) {
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = line.slice(colon + 1).replace(/^ /, "");
      if (field === "data") message.data += (message.data && "\n") + value;
      else if (field === "id" || field === "event") message[field] = value;
    }
    return message;
  });
  return { messages, rest };
}

const eventOf = (message: StreamMessage): JobEvent => ({
  id: Number(message.id),
  kind: message.event,
  data: JSON.parse(message.data) as Record<string, unknown>,
});
