import { useEffect, useState } from "preact/hooks";
import type { ComponentType } from "preact";
import { session } from "../api/session";
import { loadSession } from "../api/signin";
import { ErrorBoundary } from "../ui/ErrorBoundary";
import { Loading, Message, NotLoaded, Problems } from "../ui/Message";
import { Toasts } from "../ui/Toast";
import { SignInPage } from "../pages/sign-in/SignInPage";
import { Navigation } from "./Navigation";
import { matchPath, place } from "./router";
import { ROUTES, type PageProps } from "./routes";

/** The code of the page loads while it is asked who is signed in. */
void ROUTES.find(({ pattern }) => matchPath(pattern, place.value.path))?.load().catch(() => undefined);

export function App() {
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    const ask = () => loadSession().then(() => setError(undefined), setError);
    void ask();
    addEventListener("online", ask);
    return () => removeEventListener("online", ask);
  }, []);
  useEffect(() => {
    if (error === undefined) return;
    const timer = setTimeout(() => loadSession().then(() => setError(undefined), setError), 2000);
    return () => clearTimeout(timer);
  }, [error]);
  const linked = place.value.path === "/sign-in";
  if (session.value === undefined && !linked) return <main><h1>Graftwerk</h1>{error ? <Problems error={error} /> : <Loading what="who is signed in" />}</main>;
  if (session.value === null || linked) return <SignInPage />;
  return (
    <>
      <a class="skip-link" href="#main">Skip to the content</a>
      <Navigation />
      <main id="main" tabIndex={-1}>
        <ErrorBoundary place={place.value.path}>
          <CurrentPage />
        </ErrorBoundary>
      </main>
      <Toasts />
    </>
  );
}

function CurrentPage() {
  const { path } = place.value;
  for (const route of ROUTES) {
    const parameters = matchPath(route.pattern, path);
    if (!parameters) continue;
    const { "*": part, ...named } = parameters; // a page stays while one goes through its parts
    return <LazyPage key={[route.pattern, ...Object.values(named)].join(" ")} route={route} parameters={parameters} />;
  }
  return (
    <Message page title="There is no such page">
      <a href="/jobs">All jobs</a>
    </Message>
  );
}

function LazyPage({ route, parameters }: { route: (typeof ROUTES)[number]; parameters: Record<string, string> }) {
  const [Page, setPage] = useState<ComponentType<PageProps>>();
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    document.title = `${route.title} · Graftwerk`; // a page may say more once it knows more
    route.load().then((module) => setPage(() => module.default), () => setFailed(true));
  }, [route]);
  if (failed) return <><h1>{route.title}</h1><NotLoaded what={`The page “${route.title}”`} /></>;
  return Page ? <Page parameters={parameters} /> : <Loading what={route.title} />;
}
