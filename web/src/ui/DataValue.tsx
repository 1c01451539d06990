import { useEffect, useRef } from "preact/hooks";
import { imageOf, shortText, type Pixels } from "./data";

/** A value of a row: a picture, pixels, a number or a text, the beginning of it where it is long. */
export function DataValue({ value, name, long }: { value: unknown; name: string; long?: boolean }) {
  const image = imageOf(value);
  if (image?.kind === "thumbnail") {
    const size = image.shape.join(" × ");
    return <img class="thumbnail" src={image.url} alt={`${name}, ${size}`} title={`(channels, height, width): ${size}`} />;
  }
  if (image?.kind === "pixels") return <PixelImage pixels={image} name={name} />;
  if (value === null || value === undefined) return <span class="muted">missing</span>;
  return <span class="data-text">{shortText(value, long ? 2000 : 160)}</span>;
}

/** An image of numbers (channels, height, width), drawn with hard edges. */
export function PixelImage({ pixels, name }: { pixels: Pixels; name: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    context?.putImageData(new ImageData(new Uint8ClampedArray(pixels.rgba), pixels.width, pixels.height), 0, 0);
  }, [pixels]);
  return <canvas ref={canvas} class="thumbnail" width={pixels.width} height={pixels.height} role="img" aria-label={`${name}, ${pixels.height} × ${pixels.width} pixels`} />;
}
