import { useEffect, useMemo, useRef } from "preact/hooks";
import { zoomed, type Size, type View } from "./viewport";

export interface Viewport {
  view: View;
  touched: boolean; // the reader has moved it: it is not moved by itself any more
  screen: () => Size;
  set: (view: View, byReader?: boolean) => void;
  zoom: (factor: number) => void;
  onChange: (listener: (view: View) => void) => () => void;
}

/** Let a drawing be moved and zoomed by mouse, touch and trackpad, without rendering it anew. */
export function useViewport(svg: { current: SVGSVGElement | null }, layer: { current: SVGGElement | null }): Viewport {
  const state = useRef({ view: { x: 0, y: 0, scale: 1 }, touched: false, listeners: new Set<(view: View) => void>() }).current;
  const viewport = useMemo<Viewport>(() => {
    const set = (view: View, byReader = false) => {
      state.view = view;
      state.touched ||= byReader;
      layer.current?.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);
      for (const listener of state.listeners) listener(view);
    };
    const screen = () => ({ width: svg.current?.clientWidth || 800, height: svg.current?.clientHeight || 480 });
    return {
      get view() {
        return state.view;
      },
      get touched() {
        return state.touched;
      },
      screen,
      set,
      zoom: (factor) => set(zoomed(state.view, factor, screen().width / 2, screen().height / 2), true),
      onChange: (listener) => {
        state.listeners.add(listener);
        return () => state.listeners.delete(listener);
      },
    };
  }, []);
  useEffect(() => followPointers(svg.current!, viewport), []);
  return viewport;
}

const CLICK = 4; // pixels that a pointer may move in a click

function followPointers(svg: SVGSVGElement, viewport: Viewport): () => void {
  const pointers = new Map<number, { x: number; y: number }>();
  let moved = 0;
  const place = (event: MouseEvent) => {
    const box = svg.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const onDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    if (!pointers.size) moved = 0;
    pointers.set(event.pointerId, place(event));
  };
  const onMove = (event: PointerEvent) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = place(event);
    moved += Math.hypot(now.x - before.x, now.y - before.y);
    if (moved > CLICK && !svg.hasPointerCapture(event.pointerId)) svg.setPointerCapture(event.pointerId);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    const { view } = viewport;
    if (other) {
      const factor = Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y));
      viewport.set(zoomed(view, factor, (now.x + other.x) / 2, (now.y + other.y) / 2), true);
    } else if (moved > CLICK) {
      viewport.set({ ...view, x: view.x + now.x - before.x, y: view.y + now.y - before.y }, true);
    }
    pointers.set(event.pointerId, now);
  };
  const onUp = (event: PointerEvent) => {
    pointers.delete(event.pointerId);
  };
  const onClick = (event: MouseEvent) => {
    if (moved <= CLICK) return;
    event.stopPropagation(); // the end of a movement is no click
    moved = 0;
  };
  // A wheel over the page scrolls the page: it zooms a drawing that is in use, and with Ctrl any (as a pinch does).
  const onWheel = (event: WheelEvent) => {
    if (!(event.ctrlKey || event.metaKey || svg.contains(document.activeElement))) return;
    event.preventDefault();
    const { x, y } = place(event);
    viewport.set(zoomed(viewport.view, Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), x, y), true);
  };
  const listeners: [string, EventListener, boolean][] = [
    ["pointerdown", onDown as EventListener, false],
    ["pointermove", onMove as EventListener, false],
    ["pointerup", onUp as EventListener, false],
    ["pointercancel", onUp as EventListener, false],
    ["click", onClick as EventListener, true],
  ];
  for (const [name, listener, capture] of listeners) svg.addEventListener(name, listener, capture);
  svg.addEventListener("wheel", onWheel, { passive: false });
  return () => {
    for (const [name, listener, capture] of listeners) svg.removeEventListener(name, listener, capture);
    svg.removeEventListener("wheel", onWheel);
  };
}
