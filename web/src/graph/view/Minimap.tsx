import { useEffect, useRef, useState } from "preact/hooks";
import type { Drawing } from "../layout/layout";
import type { Viewport } from "./useViewport";

const WIDTH = 130;
const HEIGHT = 110;

/** The whole drawing in small, with what of it is visible; a click or a drag goes there. Shown while not all is visible. */
export function Minimap({ drawing, viewport }: { drawing: Drawing; viewport: Viewport }) {
  const [view, setView] = useState(viewport.view);
  const svg = useRef<SVGSVGElement>(null);
  useEffect(() => {
    let frame = requestAnimationFrame(() => setView(viewport.view));
    const stop = viewport.onChange((now) => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => setView(now));
    });
    return () => (cancelAnimationFrame(frame), stop());
  }, [drawing]);
  const screen = viewport.screen();
  const seen = { x: -view.x / view.scale, y: -view.y / view.scale, width: screen.width / view.scale, height: screen.height / view.scale };
  const all = seen.x <= 4 && seen.y <= 4 && seen.x + seen.width >= drawing.width - 4 && seen.y + seen.height >= drawing.height - 4;
  if (all || screen.width < 480) return null;
  const scale = Math.min(WIDTH / drawing.width, HEIGHT / drawing.height);
  const go = (event: PointerEvent) => {
    if (!event.buttons) return;
    const box = svg.current!.getBoundingClientRect();
    const x = (event.clientX - box.left) / scale;
    const y = (event.clientY - box.top) / scale;
    viewport.set({ scale: view.scale, x: screen.width / 2 - x * view.scale, y: screen.height / 2 - y * view.scale }, true);
  };
  return (
    <svg ref={svg} class="graph-minimap" width={drawing.width * scale} height={drawing.height * scale} viewBox={`0 0 ${drawing.width} ${drawing.height}`} aria-hidden="true" onPointerDown={go} onPointerMove={go}>
      {drawing.boxes.map(({ key, x, y, width, height, open }) => (
        <rect key={key} class={open ? "open" : ""} x={x} y={y} width={width} height={height} />
      ))}
      <rect class="seen" x={seen.x} y={seen.y} width={seen.width} height={seen.height} stroke-width={1.5 / scale} />
    </svg>
  );
}
