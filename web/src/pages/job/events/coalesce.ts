/**
 * Run something some time after it was first asked for, however often it is asked for meanwhile, and never twice at once:
 * what is asked for while it runs is one more run.
 */
export function coalesced(run: () => Promise<void>, wait: number): { ask: (soon?: boolean) => void; stop: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running = false;
  let again = false;
  const start = async () => {
    timer = undefined;
    running = true;
    await run();
    running = false;
    if (again) ask();
  };
  const ask = (soon = false) => {
    again = running;
    if (!running) timer ??= setTimeout(() => void start(), soon ? 0 : wait);
  };
  return { ask, stop: () => clearTimeout(timer) };
}
