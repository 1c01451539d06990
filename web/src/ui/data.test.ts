import { expect, it } from "vitest";
import { imageOf, shapeOf, shortText } from "./data";

it("takes pictures of bytes and data URLs for images, and nothing else", () => {
  const image = imageOf([[[0, 16], [8, 4]]]);
  expect(image).toMatchObject({ kind: "pixels", width: 2, height: 2 });
  expect(image?.kind === "pixels" && image.rgba.slice(0, 8)).toEqual([0, 0, 0, 255, 255, 255, 255, 255]);
  expect(imageOf({ shape: [3, 4, 4], thumbnail: "data:image/png;base64,AAAA" })).toMatchObject({ kind: "thumbnail" });
  expect(imageOf({ shape: [3, 4, 4], thumbnail: "javascript:alert(1)" })).toBeNull();
  expect(imageOf({ shape: [3, 4, 4] })).toBeNull();
  expect(imageOf([[1, 2], [3, 4]])).toBeNull();
  expect(imageOf("text")).toBeNull();
});

it.each([[3, []], [[], [0]], [[[1, 2], [3, 4], [5, 6]], [3, 2]], [[[1], [2, 3]], [2]]])("knows the shape of %j", (value, shape) => {
  expect(shapeOf(value)).toEqual(shape);
});

it("shortens texts", () => {
  expect(shortText("abcdef", 3)).toBe("abc…");
  expect(shortText({ shape: [3, 5, 5] }, 40)).toBe("shape 3 × 5 × 5");
  expect(shortText([1, 2], 40)).toBe("[1,2]");
  expect(shortText(["a", "b"], 40)).toBe("a · b");
  expect(shortText(0.123456789, 40)).toBe("0.123457");
});
