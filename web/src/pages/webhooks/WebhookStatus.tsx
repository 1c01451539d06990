import type { Webhook } from "../../api/schema";
import { Time } from "../../ui/Time";

const STATES = {
  active: { symbol: "✓", kind: "succeeded" },
  failing: { symbol: "!", kind: "paused" },
  disabled: { symbol: "✕", kind: "failed" },
} as const;

/** Whether messages arrive, and since when not. */
export function WebhookStatus({ of: webhook }: { of: Webhook }) {
  const { symbol, kind } = STATES[webhook.status];
  const since = webhook.disabled_at ?? webhook.failing_since;
  return (
    <>
      <span class={`status ${kind}`}><span aria-hidden="true">{symbol}</span> {webhook.status}</span>
      {since && <div class="muted">since <Time at={since} />{webhook.disabled_reason && `: ${webhook.disabled_reason}`}</div>}
    </>
  );
}
