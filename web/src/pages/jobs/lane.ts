/** Runs requests that can wait: a few at a time, each after a rest in proportion to how long the last one took. */
export interface Lane {
  /** Run a task in its turn; rejects without running it if `signal` is aborted before. */
  run: <T>(task: () => Promise<T>, signal: AbortSignal) => Promise<T>;
}

interface Turn {
  start: () => void;
  signal: AbortSignal;
}

/** `rest`: pause after a task, in multiples of its duration, so that a slow service has most of its time for others. */
export function createLane({ atOnce, rest, now = () => performance.now() }: { atOnce: number; rest: number; now?: () => number }): Lane {
  const waiting: Turn[] = [];
  let running = 0;
  const next = () => {
    while (running < atOnce) {
      const turn = waiting.shift();
      if (!turn) return;
      if (turn.signal.aborted) continue;
      running++;
      turn.start();
    }
  };
  const run = <T>(task: () => Promise<T>, signal: AbortSignal) =>
    new Promise<T>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      const start = () => {
        const began = now();
        task().then(resolve, reject).finally(() => {
          const pause = rest * (now() - began);
          setTimeout(() => {
            running--;
            next();
          }, pause);
        });
      };
      waiting.push({ start, signal });
      next();
    });
  return { run };
}
