const SYMBOLS: Record<string, string> = { queued: "◷", running: "▶", paused: "‖", succeeded: "✓", failed: "✕", cancelled: "⊘" };

/** A job's status as a symbol and a word: never by colour alone. */
export function StatusBadge({ status }: { status: string }) {
  return (
    <span class={`status ${status}`}>
      <span aria-hidden="true">{SYMBOLS[status] ?? "•"}</span> {status}
    </span>
  );
}
