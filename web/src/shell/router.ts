import { computed, signal } from "@preact/signals";

/** The place in the application: path and query. Views live in it, so that a link shows what its sender saw. */
export const place = signal({ path: location.pathname, query: location.search, hash: location.hash });

const update = () => {
  place.value = { path: location.pathname, query: location.search, hash: location.hash };
};
addEventListener("popstate", update);

export const queryParameters = computed(() => new URLSearchParams(place.value.query));

/** Go to an address of the application; with `replace` the one before is not in the history. */
export function navigate(url: string, { replace = false } = {}): void {
  if (url === location.pathname + location.search + location.hash) return;
  const pathBefore = location.pathname;
  history[replace ? "replaceState" : "pushState"](null, "", url);
  update();
  if (location.pathname !== pathBefore) scrollTo(0, 0);
}

/** Change parameters of the query; null and "" take one away, an array gives it several times. */
export function setQuery(changes: Record<string, string | readonly string[] | null>, { replace = true } = {}): void {
  const parameters = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    parameters.delete(name);
    if (value === null || value === "") continue;
    for (const each of typeof value === "string" ? [value] : value) parameters.append(name, each);
  }
  const text = parameters.toString();
  navigate(location.pathname + (text ? `?${text}` : "") + location.hash, { replace });
}

/** Follow links inside the application without loading the page anew. */
addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.composedPath().find((node) => node instanceof HTMLAnchorElement) ?? null) as HTMLAnchorElement | null;
  if (!link || link.origin !== location.origin || link.target || link.hasAttribute("download")) return;
  if (/^\/(v1|docs|livez|readyz|metrics)(\/|$)/.test(link.pathname)) return;
  if (link.pathname === location.pathname && link.search === location.search && link.hash) return;
  event.preventDefault();
  navigate(link.pathname + link.search + link.hash);
});

/** Match a path to a pattern such as "/jobs/:id/*"; returns its parameters, "*" being the rest. */
export function matchPath(pattern: string, path: string): Record<string, string> | null {
  const segments = pattern.split("/").filter(Boolean);
  const parts = path.split("/").filter(Boolean);
  const parameters: Record<string, string> = {};
  for (const [index, name] of segments.entries()) {
    if (name === "*") {
      parameters["*"] = parts.slice(index).join("/");
      return parameters;
    }
    const part = parts[index];
    if (part === undefined) return null;
    if (name.startsWith(":")) parameters[name.slice(1)] = decode(part);
    else if (name !== part) return null;
  }
  return parts.length === segments.length ? parameters : null;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
