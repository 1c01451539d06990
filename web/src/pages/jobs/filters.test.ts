import { expect, it } from "vitest";
import { apiQuery, isFiltered, jobIdIn, parseLabel, readFilters } from "./filters";

const ID = `job_${"0".repeat(32)}`;

it("reads filters from an address, and leaves out what is none", () => {
  const parameters = new URLSearchParams("status=failed&status=lost&label=team%3Dvi%3Dsion&label=x&search=a%25&deleted=true");
  const filters = readFilters(parameters);
  expect(filters).toEqual({ statuses: ["failed"], search: "a%", name: "", labels: [["team", "vi=sion"]], deleted: true });
  expect(apiQuery(filters)).toEqual({ status: ["failed"], search: "a%", name: "", deleted: true, "metadata[team]": "vi=sion" });
});

it("knows whether anything is filtered: the trash is a place, no filter", () => {
  expect(isFiltered(readFilters(new URLSearchParams("deleted=true&after=x")))).toBe(false);
  expect(isFiltered(readFilters(new URLSearchParams("search=x")))).toBe(true);
});

it.each([["a=b", ["a", "b"]], [" a = b ", ["a", "b"]], ["=b", null], ["a=", null], ["a", null]])("parses the label %s", (text, label) =>
  expect(parseLabel(text)).toEqual(label));

it.each([[ID, ID], [` ${ID} `, ID], [`http://host/jobs/${ID}/`, ID], [ID.slice(1), null], ["digits", null]])("finds an id in %s", (text, id) =>
  expect(jobIdIn(text)).toBe(id));
