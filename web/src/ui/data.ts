import { formatNumber } from "./format";

/** Values of rows as the API shows them: images as thumbnails or numbers, lists, trees, texts. */

export interface Thumbnail {
  kind: "thumbnail";
  url: string;
  shape: number[];
}

export interface Pixels {
  kind: "pixels";
  width: number;
  height: number;
  rgba: number[];
}

const THUMBNAIL = /^data:image\/(png|jpeg);base64,[A-Za-z0-9+/=]+$/;

/** The image that a value is: {"shape", "thumbnail"}, or nested lists (1, 3 or 4 channels, height, width); else null. */
export function imageOf(value: unknown): Thumbnail | Pixels | null {
  if (isRecord(value)) {
    const { thumbnail, shape } = value;
    const valid = typeof thumbnail === "string" && THUMBNAIL.test(thumbnail) && Array.isArray(shape);
    return valid ? { kind: "thumbnail", url: thumbnail, shape: shape.map(Number) } : null;
  }
  const shape = shapeOf(value);
  const [channels = 0, height = 0, width = 0] = shape;
  const shown = shape.length === 3 && [1, 3, 4].includes(channels) && height > 1 && width > 1;
  return shown ? pixelsOf((value as unknown[]).flat(2).map(Number), channels, height, width) : null;
}

function pixelsOf(numbers: number[], channels: number, height: number, width: number): Pixels {
  const finite = numbers.filter(Number.isFinite);
  const low = Math.min(0, ...finite);
  const scale = 255 / (Math.max(low + 1e-12, ...finite) - low);
  const size = height * width;
  const rgba: number[] = [];
  for (let pixel = 0; pixel < size; pixel++) {
    const at = (channel: number) => Math.round(((numbers[channel * size + pixel] ?? 0) - low) * scale);
    const gray = channels === 1;
    rgba.push(at(0), gray ? at(0) : at(1), gray ? at(0) : at(2), channels === 4 ? at(3) : 255);
  }
  return { kind: "pixels", width, height, rgba };
}

/** The shape of nested lists; [] of anything else, and of lists of unlike length. */
export function shapeOf(value: unknown): number[] {
  if (!Array.isArray(value)) return [];
  if (value.length === 0) return [0];
  const inner = value.map(shapeOf);
  const first = inner[0]!;
  return inner.every((shape) => shape.join() === first.join()) ? [value.length, ...first] : [value.length];
}

/** A value as a text of at most `limit` characters. */
export function shortText(value: unknown, limit: number): string {
  const text = valueText(value);
  return text.length > limit ? `${text.slice(0, limit)}…` : text;
}

function valueText(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return formatNumber(value, 6);
  if (isShape(value)) return `shape ${value.shape.join(" × ")}`;
  if (Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === "string")) return value.join(" · ");
  return JSON.stringify(value) ?? "";
}

const isShape = (value: unknown): value is { shape: number[] } => isRecord(value) && Array.isArray(value["shape"]);

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
