import { call } from "./client";
import { ApiError } from "./problem";
import { session, signedOut, type Session } from "./session";

const changes = new BroadcastChannel("graftwerk-session"); // what one tab signs in or out, all tabs know

/** Ask who is signed in. Rejects if the service cannot be reached. */
export async function loadSession(): Promise<void> {
  try {
    session.value = await call<Session>("GET", "/v1/session");
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    signedOut();
  }
}

/** Sign in with a key, or with the token of a one-time link. */
export async function signIn(proof: { key: string } | { link: string }): Promise<void> {
  session.value = await call<Session>("POST", "/v1/session", { body: proof });
  changes.postMessage("changed");
}

export async function signOut(): Promise<void> {
  await call("DELETE", "/v1/session");
  signedOut();
  changes.postMessage("changed");
}

changes.onmessage = () => void loadSession().catch(() => undefined);
