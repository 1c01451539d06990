import { useEffect, useMemo } from "preact/hooks";
import { pageVisible } from "../api/visibility";
import { CurveLoader, type CurveRequest } from "./loader";

/** Loaders of the curves of some jobs, in their order; those of jobs that are left out are ended. */
export function useLoaders(jobIds: readonly string[], request: (jobId: string) => CurveRequest): CurveLoader[] {
  const key = jobIds.join(",");
  const kept = useMemo(() => new Map<string, CurveLoader>(), []);
  const loaders = useMemo(
    () =>
      jobIds.map((id) => {
        const loader = kept.get(id) ?? new CurveLoader(id);
        kept.set(id, loader);
        return loader;
      }),
    [key],
  );
  useEffect(() => {
    for (const [id, loader] of kept) {
      if (jobIds.includes(id)) continue;
      loader.dispose();
      kept.delete(id);
    }
  }, [key]);
  const requests = jobIds.map(request);
  useEffect(() => loaders.forEach((loader, index) => loader.ask(requests[index]!)), [key, JSON.stringify(requests)]);
  useEffect(
    () => () => {
      for (const loader of kept.values()) loader.dispose();
      kept.clear();
    },
    [],
  );
  for (const loader of loaders) loader.version.value; // the component is drawn anew when one changes
  return loaders;
}

/** Read curves again every now and then, where no stream tells of them. */
export function usePolling(loaders: readonly CurveLoader[], isLive: (jobId: string) => boolean, milliseconds = 5000): void {
  const visible = pageVisible.value;
  const live = loaders.filter(({ jobId }) => isLive(jobId));
  const key = live.map(({ jobId }) => jobId).join(",");
  useEffect(() => {
    if (!visible || !live.length) return;
    const timer = setInterval(() => live.forEach((loader) => loader.refresh(0)), milliseconds);
    return () => clearInterval(timer);
  }, [key, visible]);
}
