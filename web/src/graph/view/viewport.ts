/** What of a drawing is visible: screen = drawing × scale + (x, y). */
export interface View {
  x: number;
  y: number;
  scale: number;
}

export interface Size {
  width: number;
  height: number;
}

const [MIN_SCALE, MAX_SCALE] = [0.04, 4];
const READABLE = 0.72; // a drawing starts no smaller than this

export function zoomed(view: View, factor: number, x: number, y: number): View {
  const scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, view.scale * factor));
  const ratio = scale / view.scale;
  return { scale, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio };
}

/** Show the whole drawing, in the middle. */
export function fitted(content: Size, screen: Size): View {
  const scale = Math.min(1.2, screen.width / content.width, screen.height / content.height);
  return { scale, x: (screen.width - content.width * scale) / 2, y: (screen.height - content.height * scale) / 2 };
}

/** Show the whole drawing if that can be read, else its beginning. */
export function startView(content: Size, screen: Size): View {
  const all = fitted(content, screen);
  if (all.scale >= READABLE) return { ...all, scale: Math.min(1, all.scale), ...centred(content, screen, Math.min(1, all.scale)) };
  const scale = Math.min(1, Math.max(READABLE, screen.width / content.width));
  return { scale, x: (screen.width - content.width * scale) / 2, y: 8 };
}

const centred = (content: Size, screen: Size, scale: number) => ({
  x: (screen.width - content.width * scale) / 2,
  y: Math.max(8, (screen.height - content.height * scale) / 2),
});

/** Move as little as lets a rectangle be seen, with some space around it; zoom in if it is to be `legible`. */
export function revealed(view: View, rectangle: Size & { x: number; y: number }, screen: Size, legible: boolean): View {
  const scale = legible ? Math.max(view.scale, Math.min(READABLE, screen.width / (rectangle.width + 40))) : view.scale;
  const margin = 24;
  const place = (start: number, length: number, offset: number, room: number) => {
    const from = start * scale + offset;
    const size = length * scale;
    if (size + 2 * margin > room) return from > margin || from + size < room - margin ? margin - start * scale : offset;
    if (from < margin) return margin - start * scale;
    return from + size > room - margin ? room - margin - size - start * scale : offset;
  };
  const base = scale === view.scale ? view : zoomed(view, scale / view.scale, screen.width / 2, screen.height / 2);
  return { scale, x: place(rectangle.x, rectangle.width, base.x, screen.width), y: place(rectangle.y, rectangle.height, base.y, screen.height) };
}
