import { expect, it } from "vitest";
import { parseView, viewChanges, type View } from "./view";

const VIEW: View = {
  measures: ["loss", "a b/c&d"], apart: true, x: "elapsed", xLog: true, y: "symlog", smooth: 0.9, band: false, trimmed: true,
  range: [0.5, 1e6], pins: [3, 70], jobs: ["job_1", "job_2"], large: "loss",
};

function roundTrip(view: View): View {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(viewChanges(view))) {
    if (value === null) continue;
    for (const each of [value].flat()) query.append(name, each);
  }
  return parseView(query);
}

it("comes back from the address", () => expect(roundTrip(VIEW)).toEqual(VIEW));
it("has an empty address at first", () => {
  const first = parseView(new URLSearchParams());
  expect(Object.values(viewChanges(first)).flat().filter((value) => value !== null)).toEqual([]);
  expect(roundTrip(first)).toEqual(first);
});
it.each(["x=evil&y=no&smooth=7&from=a&to=3", "from=5&to=5", "pin=x&pin=NaN", "x=time&xlog=1"])("takes nonsense for nothing: %s", (query) => {
  const view = parseView(new URLSearchParams(query));
  expect(view.range).toBeNull();
  expect(view.pins).toEqual([]);
  expect(view.smooth).toBeLessThanOrEqual(0.999);
  expect(view.xLog).toBe(false);
});
