// @vitest-environment jsdom
import { beforeEach, expect, it, vi } from "vitest";
import { readDraft, removeDraft, saveDraft } from "./drafts";

beforeEach(() => localStorage.clear());

it("keeps a text for its owner and its source", () => {
  expect(saveDraft("anna", "new", "{}")).toBe(true);
  expect(readDraft("anna", "new")?.text).toBe("{}");
  expect(readDraft("bert", "new")).toBeNull();
  expect(readDraft("anna", "from:x")).toBeNull();
  removeDraft("anna", "new");
  expect(readDraft("anna", "new")).toBeNull();
});

it("keeps the newest ones", () => {
  vi.useFakeTimers();
  for (let number = 0; number < 25; number++) {
    vi.setSystemTime(1000 * (number + 1));
    saveDraft("anna", String(number), "x");
  }
  vi.useRealTimers();
  expect(localStorage.length).toBe(20);
  expect(readDraft("anna", "4")).toBeNull();
  expect(readDraft("anna", "24")?.at).toBe(25_000);
});

it("reads nothing from what is no draft, and says when there is no room", () => {
  localStorage.setItem("graftwerk-draft:anna:new", "{broken");
  expect(readDraft("anna", "new")).toBeNull();
  vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  expect(saveDraft("anna", "new", "x")).toBe(false);
  vi.restoreAllMocks();
});
