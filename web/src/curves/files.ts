import { color } from "../shell/theme";
import type { ChartContent } from "../charts/paint";
import { chartSvg } from "../charts/svg";
import { escapeText } from "../charts/surface";

const WIDTH = 960;
const HEIGHT = 400;

/** The charts of a page, one below the other, as one SVG. */
export function chartsSvg(contents: readonly ChartContent[]): string {
  let top = 0;
  const parts = contents.map((content, index) => {
    const svg = chartSvg(content, WIDTH, HEIGHT, color).replaceAll('id="frame"', `id="frame${index}"`).replaceAll("url(#frame)", `url(#frame${index})`);
    const height = Number(/height="(\d+)"/.exec(svg)![1]);
    const placed = svg.replace("<svg ", `<svg y="${top}" `);
    top += height + 16;
    return placed;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top}" viewBox="0 0 ${WIDTH} ${top}"><rect width="100%" height="100%" fill="${color("--surface")}"/>${parts.join("")}</svg>`;
}

/** The same as a picture, twice as fine. */
export async function chartsPng(contents: readonly ChartContent[]): Promise<Blob> {
  const svg = chartsSvg(contents);
  const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [2 * image.width, 2 * image.height];
    canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large"))), "image/png"));
  } finally {
    URL.revokeObjectURL(url);
  }
}

export interface FileTable {
  caption: string;
  columns: readonly string[];
  rows: readonly (readonly string[])[];
}

/** What is shown as one file of HTML: charts and tables, which needs no network and runs nothing. */
export function pageHtml(title: string, facts: readonly [string, string][], contents: readonly ChartContent[], tables: readonly FileTable[]): string {
  const charts = contents.map((content, index) =>
    chartSvg(content, WIDTH, HEIGHT, color).replaceAll('id="frame"', `id="frame${index}"`).replaceAll("url(#frame)", `url(#frame${index})`),
  );
  const cells = (row: readonly string[], tag: string) => row.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join("");
  const written = tables.map(
    ({ caption, columns, rows }) =>
      `<table><caption>${escapeText(caption)}</caption><thead><tr>${cells(columns, "th")}</tr></thead><tbody>${rows.map((row) => `<tr>${cells(row, "td")}</tr>`).join("")}</tbody></table>`,
  );
  const list = facts.map(([name, value]) => `<dt>${escapeText(name)}</dt><dd>${escapeText(value)}</dd>`).join("");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeText(title)}</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:24px auto;padding:0 16px;background:${color("--surface")};color:${color("--text")}}
svg{max-width:100%;height:auto}table{border-collapse:collapse;margin:16px 0;font-size:14px}caption{text-align:left;font-weight:600;padding:4px 0}
th,td{text-align:left;padding:4px 10px;border-bottom:1px solid ${color("--border")}}dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px}dd{margin:0}</style></head>
<body><h1>${escapeText(title)}</h1><dl>${list}</dl>${charts.join("")}${written.join("")}</body></html>
`;
}

export function saveFile(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A name for a file: what file systems accept. */
export const fileName = (name: string, ending: string): string => `${name.replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 80) || "curves"}.${ending}`;
