import type { Problem, ProblemDetail } from "./schema";

/** An error of the API: a problem document (RFC 9457), or what kept a request from getting one. */
export class ApiError extends Error {
  readonly status: number; // 0: the service was not reached
  readonly code: string;
  readonly errors: ProblemDetail[];
  readonly requestId: string;
  readonly partialGraph: Problem["partial_graph"]; // of a network with problems: the inspection as far as it is right
  readonly retryAfter: number | null;

  constructor(status: number, problem: Partial<Problem>, retryAfter: number | null = null) {
    super(problem.detail ?? problem.title ?? "the request failed");
    this.status = status;
    this.code = problem.code ?? "unknown";
    this.errors = problem.errors ?? [];
    this.requestId = problem.request_id ?? "";
    this.partialGraph = problem.partial_graph ?? null;
    this.retryAfter = retryAfter;
  }

  /** Whether the service could not be reached, so that the page shows what it has and tries again. */
  get offline(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 504;
  }
}

export async function errorOf(response: Response): Promise<ApiError> {
  const retryAfter = Number(response.headers.get("retry-after")) || null;
  try {
    return new ApiError(response.status, (await response.json()) as Partial<Problem>, retryAfter);
  } catch {
    return new ApiError(response.status, { title: `${response.status} ${response.statusText}` }, retryAfter);
  }
}
