import { signal, type ReadonlySignal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import type { Job } from "../../api/schema";
import { followEvents, type JobEvent, type StreamState } from "../../api/stream";
import { pageVisible } from "../../api/visibility";
import { hasEnded } from "../../curves/progress";

/** The events of a job as they come, for all parts of its page: one stream, however many listen. */
export interface JobFeed {
  state: ReadonlySignal<StreamState>;
  /** Call back with every event after the one that the page began with, in order, once each. */
  subscribe: (listener: (events: JobEvent[]) => void) => () => void;
}

/**
 * The connection as the page tells of it: what is shown of a job that goes on is old, too, where reading the job itself
 * failed, whatever its stream last said.
 */
export function connectionOf(status: Job["status"], stream: StreamState, error: unknown): StreamState {
  if (hasEnded(status)) return "done";
  return error === undefined ? stream : "offline";
}

/** Follow a job from an event on while the page is visible; a hidden page catches up when it is shown again. */
export function useJobFeed(jobId: string, after: number | undefined): JobFeed {
  const [feed] = useState(() => {
    const state = signal<StreamState>("connecting");
    const listeners = new Set<(events: JobEvent[]) => void>();
    return {
      state,
      last: after ?? 0,
      subscribe(listener: (events: JobEvent[]) => void) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      deliver(events: JobEvent[]) {
        this.last = events.at(-1)!.id;
        for (const listener of listeners) listener(events);
      },
    };
  });
  const visible = pageVisible.value;
  const known = after !== undefined;
  useEffect(() => {
    if (!known || !visible) return;
    feed.last ||= after;
    const controller = new AbortController();
    followEvents(jobId, {
      after: feed.last,
      onEvents: (events) => feed.deliver(events),
      onState: (state) => (feed.state.value = state),
      signal: controller.signal,
    }).catch(() => {
      if (!controller.signal.aborted) feed.state.value = "offline";
    });
    return () => controller.abort();
  }, [jobId, known, visible]);
  return feed;
}
