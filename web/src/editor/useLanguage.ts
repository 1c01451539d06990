import { useMemo } from "preact/hooks";
import specSchemas from "virtual:job-spec";
import { get } from "../api/client";
import { useResource } from "../api/resource";
import type { Catalog } from "../api/schema";
import { Language } from "./schemas";

/** The language of specs, once the catalogue has come; the editor works without it until then. */
export function useLanguage(): Language | undefined {
  const { data } = useResource((signal) => get<Catalog>("/v1/catalog", {}, signal), ["catalog"]);
  return useMemo(() => data && new Language(specSchemas, data), [data]);
}
