import type { Family } from "../model/families";

/** The outline of a box, w wide and h high: its family can be told without its colour. */
export function outline(family: Family, w: number, h: number): string {
  switch (family) {
    case "activation":
      return rounded(w, h, h / 2.6);
    case "norm":
      return `${rounded(w, h, 2)}M7 0V${h}M${w - 7} 0V${h}`;
    case "weights":
      return `${rounded(w, h, 3)}M5 0V${h}`;
    case "pool":
      return polygon([[0, 0], [w, 0], [w - 11, h], [11, h]]);
    case "reshape":
      return polygon([[9, 0], [w, 0], [w - 9, h], [0, h]]);
    case "combine":
      return polygon([[11, 0], [w - 11, 0], [w, h / 2], [w - 11, h], [11, h], [0, h / 2]]);
    case "source":
      return polygon([[0, 0], [w - 12, 0], [w, 12], [w, h], [0, h]]);
    case "control":
      return polygon([[9, 0], [w - 9, 0], [w, 9], [w, h - 9], [w - 9, h], [9, h], [0, h - 9], [0, 9]]);
    case "block":
      return `${rounded(w, h, 6)}M${w} 5H${w + 4}V${h + 4}H5V${h}`;
    case "loss":
      return polygon([[0, 0], [w, 0], [w, h - 10], [w / 2, h], [0, h - 10]]);
    case "other":
      return rounded(w, h, 7);
  }
}

const polygon = (points: [number, number][]): string => `M${points.map((point) => point.join(" ")).join("L")}Z`;

const rounded = (w: number, h: number, r: number): string =>
  `M${r} 0H${w - r}A${r} ${r} 0 0 1 ${w} ${r}V${h - r}A${r} ${r} 0 0 1 ${w - r} ${h}H${r}A${r} ${r} 0 0 1 0 ${h - r}V${r}A${r} ${r} 0 0 1 ${r} 0Z`;
