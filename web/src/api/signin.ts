import { call } from "./client";
import { ApiError } from "./problem";
import { session, signedOut, type Session } from "./session";

const changes = new BroadcastChannel("graftwerk-session"); // what one tab signs in or out, all tabs know

let signIns = 0;

/** Ask who is signed in. Rejects if the service cannot be reached. */
export async function loadSession(): Promise<void> {
  const before = signIns;
  const isCurrent = () => before === signIns; // an answer from before a sign-in says nothing about after it
  try {
    const found = await call<Session | undefined>("GET", "/v1/session");
    if (isCurrent()) session.value = found ?? null; // an answer without a body: nobody is signed in
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    if (isCurrent()) signedOut();
  }
}

/** Sign in with a key, or with the token of a one-time link. */
export async function signIn(proof: { key: string } | { link: string }): Promise<void> {
  const opened = await call<Session>("POST", "/v1/session", { body: proof });
  signIns++;
  session.value = opened;
  changes.postMessage("changed");
}

export async function signOut(): Promise<void> {
  await call("DELETE", "/v1/session");
  signedOut();
  changes.postMessage("changed");
}

changes.onmessage = () => void loadSession().catch(() => undefined);
