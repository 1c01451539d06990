import { FAMILY_LABELS, type Family } from "../model/families";
import { allBoxes, type Scope } from "../model/tree";
import { outline } from "./outline";
import { overlayColor, scaleOf, type Overlay } from "./overlay";

/** What the outlines mean, and from where to where the colours of the overlay go. */
export function Legend({ root, overlay }: { root: Scope; overlay: Overlay | undefined }) {
  const present = new Set([...allBoxes(root)].map((box) => box.family));
  const families = (Object.keys(FAMILY_LABELS) as Family[]).filter((family) => present.has(family));
  return (
    <div class="graph-legend">
      {overlay && overlay.values.size > 0 && <OverlayLegend overlay={overlay} />}
      <ul>
        {families.map((family) => (
          <li key={family}>
            <svg width={34} height={20} viewBox="-1 -1 44 26" aria-hidden="true">
              <g class={`graph-box graph-${family}`}><path class="graph-shape" d={outline(family, 36, 22)} /></g>
            </svg>
            {FAMILY_LABELS[family]}
          </li>
        ))}
      </ul>
    </div>
  );
}

function OverlayLegend({ overlay }: { overlay: Overlay }) {
  const scale = scaleOf(overlay);
  if (!Number.isFinite(scale.low)) return <p><strong>{overlay.title}</strong>: no numbers</p>;
  return (
    <p class="graph-scale">
      <strong>{overlay.title}</strong> {scale.format(scale.low)}
      {[0, 0.25, 0.5, 0.75, 1].map((share) => <i key={share} style={{ background: overlayColor(share) }} />)}
      {scale.format(scale.high)} {overlay.logarithmic && <span class="muted">(logarithmic)</span>}
    </p>
  );
}
