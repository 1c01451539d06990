import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./problem";
import { pageVisible } from "./visibility";

const OFFLINE_MS = 3000; // between attempts while the service cannot be reached

export interface Resource<T> {
  data: T | undefined; // the last that arrived, however old: a failed refresh takes nothing away
  error: unknown;
  loading: boolean;
  reload: () => void;
}

/**
 * Load something whenever `keys` change, and every `every` milliseconds while the page is visible; again, too, while the
 * service cannot be reached.
 * Responses with an ETag are revalidated by the browser's own cache. Data of other keys are not shown under these.
 */
export function useResource<T>(load: (signal: AbortSignal) => Promise<T>, keys: readonly unknown[], every?: number): Resource<T> {
  const [state, setState] = useState<{ key: string; data?: T; error?: unknown; loading: boolean }>({ key: "", loading: true });
  const [turn, setTurn] = useState(0);
  const key = JSON.stringify(keys);
  const latest = useRef(load);
  latest.current = load;
  const visible = pageVisible.value;
  useEffect(() => {
    if (!visible && state.key === key) return;
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const run = async () => {
      let wait = every;
      try {
        const data = await latest.current(controller.signal);
        if (!controller.signal.aborted) setState({ key, data, loading: false });
      } catch (error) {
        if (controller.signal.aborted) return;
        setState((old) => ({ ...(old.key === key ? old : { key }), error, loading: false }));
        if (error instanceof ApiError && error.offline) wait ??= OFFLINE_MS;
      }
      if (wait !== undefined && !controller.signal.aborted && pageVisible.value) timer = setTimeout(() => void run(), wait);
    };
    setState((old) => (old.key === key ? old : { key, loading: true }));
    void run();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [key, turn, every, visible]);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  const own = state.key === key;
  return { data: own ? state.data : undefined, error: own ? state.error : undefined, loading: own ? state.loading : true, reload };
}
