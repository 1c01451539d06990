import { ApiError, errorOf } from "./problem";
import { csrfToken, signedOut } from "./session";

export type Query = Record<string, string | number | boolean | readonly string[] | null | undefined>;

interface Options {
  query?: Query;
  body?: unknown; // sent as JSON, unless it is text or a Blob with a content type
  contentType?: string;
  accept?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  idempotent?: boolean; // a POST that creates something: sent with an Idempotency-Key, and so repeated safely
}

const RETRIES = 2;

/** Send a request and return its response, whatever it holds. Rejects with `ApiError`. */
export async function send(method: string, path: string, options: Options = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: options.accept ?? "application/json", ...options.headers };
  const token = csrfToken();
  if (token) headers["X-CSRF-Token"] = token;
  if (options.idempotent) headers["Idempotency-Key"] = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  let body: BodyInit | undefined;
  if (options.body !== undefined) {
    const raw = typeof options.body === "string" || options.body instanceof Blob;
    headers["Content-Type"] = options.contentType ?? "application/json";
    body = raw ? (options.body as BodyInit) : JSON.stringify(options.body);
  }
  const repeatable = method === "GET" || options.idempotent === true;
  for (let attempt = 0; ; attempt++) {
    try {
      return await sendOnce(method, withQuery(path, options.query), { headers, body, signal: options.signal });
    } catch (error) {
      const temporary = error instanceof ApiError && (error.offline || error.status === 503 || error.status === 429);
      if (!temporary || !repeatable || attempt >= RETRIES) throw error;
      await pause(1000 * ((error as ApiError).retryAfter ?? 0.3 * 2 ** attempt), options.signal);
    }
  }
}

interface Sent {
  headers: Record<string, string>;
  body: BodyInit | undefined;
  signal: AbortSignal | undefined;
}

async function sendOnce(method: string, url: string, { headers, body, signal }: Sent): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers,
      body: body ?? null,
      signal: signal ?? null,
      credentials: "same-origin",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, { code: "unreachable", detail: "the service cannot be reached" });
  }
  if (response.ok) return response;
  const error = await errorOf(response);
  if (error.status === 401 && !url.startsWith("/v1/session")) signedOut();
  throw error;
}

/** Send a request and return the JSON of its response. */
export async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const response = await send(method, path, options);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal) => call<T>("GET", path, { query: query ?? {}, signal });

/** POST; what it creates is created once, however often it is sent. */
export const post = <T>(path: string, body?: unknown, options: Options = {}) =>
  call<T>("POST", path, { idempotent: true, ...options, body });

export const remove = (path: string, query?: Query) => call<undefined>("DELETE", path, { query: query ?? {} });

export function withQuery(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    if (Array.isArray(value)) value.forEach((each: string) => search.append(name, each));
    else search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
