import { useEffect, useState } from "preact/hooks";
import { session } from "../../api/session";
import { loadSession, signIn } from "../../api/signin";
import { navigate, place } from "../../shell/router";
import { Field } from "../../ui/Field";
import { messageOf } from "../../ui/Message";
import "./sign-in.css";

/** Sign in with a key, or by the one-time link that `graftwerk up` and `graftwerk open` print. */
export function SignInPage() {
  const [key, setKey] = useState("");
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const link = new URLSearchParams(place.value.hash.slice(1)).get("link");
  const submit = async (proof: { key: string } | { link: string }) => {
    setBusy(true);
    setError(undefined);
    try {
      await signIn(proof);
      if (place.value.path === "/sign-in") navigate(returnAddress(), { replace: true });
    } catch (failure) {
      if ("link" in proof && (await isSignedIn())) {
        navigate(returnAddress(), { replace: true }); // a link that was used before, in a browser that it signed in
        return;
      }
      setError("link" in proof ? "This link has been used or has expired. `graftwerk open` makes another." : messageOf(failure));
      history.replaceState(null, "", location.pathname + location.search);
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => {
    if (link) void submit({ link });
  }, [link]);
  return (
    <main class="sign-in">
      <form
        class="panel"
        onSubmit={(event) => {
          event.preventDefault();
          void submit({ key: key.trim() });
        }}
      >
        <h1><img src="/icon.svg" alt="" width="28" height="28" /> Graftwerk</h1>
        <Field label="Key" hint="`graftwerk open` signs you in without it." error={error}>
          {(attributes) => (
            <input {...attributes} type="password" autocomplete="current-password" required value={key} onInput={(event) => setKey(event.currentTarget.value)} />
          )}
        </Field>
        <button class="primary" disabled={busy}>{busy ? "Signing in…" : "Sign in"}</button>
      </form>
    </main>
  );
}

async function isSignedIn(): Promise<boolean> {
  await loadSession().catch(() => undefined);
  return Boolean(session.value);
}

/** Where a link leads after signing in: a path of this application, never another host. */
function returnAddress(): string {
  const next = new URLSearchParams(place.value.query).get("next") ?? "/jobs";
  return /^\/(?![/\\])/.test(next) ? next : "/jobs";
}
