import { signal } from "@preact/signals";

/** Who is signed in: the response of /v1/session. */
export interface Session {
  owner: string;
  key_id: string | null; // null: the service runs without authentication
  key_name: string | null;
  scopes: string[];
  created_at: string;
  expires_at: string | null;
  csrf_token: string;
}

/** undefined: not known yet; null: nobody is signed in. */
export const session = signal<Session | null | undefined>(undefined);

export const csrfToken = (): string => session.value?.csrf_token ?? "";

export const hasScope = (scope: string): boolean =>
  session.value?.scopes.some((each) => each === scope || each === "admin") ?? false;

export function signedOut(): void {
  session.value = null;
}
