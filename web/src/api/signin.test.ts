import { afterEach, expect, it, vi } from "vitest";
import { session } from "./session";

afterEach(() => vi.unstubAllGlobals());

it("keeps a sign-in that an older answer overtakes", async () => {
  vi.stubGlobal("BroadcastChannel", class { onmessage = null; postMessage() {} });
  const { loadSession, signIn } = await import("./signin");
  let answerOld: (response: Response) => void = () => undefined;
  const opened = { owner: "anna", key_id: "key_1", key_name: "first", scopes: ["read"], created_at: "", expires_at: null, csrf_token: "t" };
  vi.stubGlobal("fetch", (_: string, { method }: RequestInit) =>
    method === "POST" ? Promise.resolve(Response.json(opened, { status: 201 })) : new Promise<Response>((resolve) => (answerOld = resolve)));
  const asked = loadSession();
  await signIn({ link: "x" });
  answerOld(Response.json({ code: "unauthenticated" }, { status: 401 }));
  await asked;
  expect(session.value?.key_id).toBe("key_1");
});
