const PROPERTIES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity", "fill-opacity", "paint-order", "font-family", "font-size", "font-weight", "font-style", "text-anchor"];
const COLORS = new Set(["fill", "stroke"]);

/** A drawing as a file of its own: every style of its elements inside them, on the page's background. */
export function exportSvg(svg: SVGSVGElement, layer: SVGGElement, size: { width: number; height: number }): string {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const originals = [svg, ...svg.querySelectorAll<SVGElement>("*")];
  const copies = [copy, ...copy.querySelectorAll<SVGElement>("*")];
  originals.forEach((original, index) => inline(original, copies[index]!));
  const width = Math.ceil(size.width);
  const height = Math.ceil(size.height);
  copies[originals.indexOf(layer)]!.removeAttribute("transform");
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("viewBox", `0 0 ${width} ${height}`);
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  const background = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  background.setAttribute("width", "100%");
  background.setAttribute("height", "100%");
  background.setAttribute("fill", plainColor(getComputedStyle(document.documentElement).getPropertyValue("--surface").trim()));
  copy.prepend(background);
  return new XMLSerializer().serializeToString(copy);
}

function inline(original: SVGElement, copy: SVGElement): void {
  const style = getComputedStyle(original);
  for (const name of PROPERTIES) {
    const value = style.getPropertyValue(name);
    if (value && value !== "none 0px") copy.setAttribute(name, COLORS.has(name) ? plainColor(value) : value);
  }
  for (const name of ["class", "style", "tabindex", "role", "aria-label", "aria-expanded", "aria-pressed"]) copy.removeAttribute(name);
}

let canvas: CanvasRenderingContext2D | null | undefined;

/** A colour that other programs read, too: "color-mix(…)" and "color(srgb …)" are in hexadecimal. */
function plainColor(color: string): string {
  if (!color.startsWith("color")) return color;
  canvas ??= Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  if (!canvas) return color;
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
  return `#${[red, green, blue].map((part) => part!.toString(16).padStart(2, "0")).join("")}`;
}

export function download(text: string, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
