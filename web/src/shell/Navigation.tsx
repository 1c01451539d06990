import { hasScope, session } from "../api/session";
import { signOut } from "../api/signin";
import { Menu } from "../ui/Menu";
import { toast } from "../ui/Toast";
import { place } from "./router";
import { NAVIGATION } from "./routes";
import { setTheme, theme, type Theme } from "./theme";

const THEMES: readonly { value: Theme; label: string }[] = [
  { value: "auto", label: "As the system" },
  { value: "light", label: "Light" },
  { value: "dark", label: "Dark" },
];

export function Navigation() {
  const { path } = place.value;
  const current = (href: string) => path === href || path.startsWith(`${href}/`) || (path === "/" && href === "/jobs");
  return (
    <header class="navigation">
      <a class="brand" href="/jobs">
        <img src="/icon.svg" alt="" width="24" height="24" /> Graftwerk
      </a>
      <nav aria-label="Pages">
        {NAVIGATION.filter(({ scope }) => !scope || hasScope(scope)).map(({ href, label }) => (
          <a key={href} href={href} aria-current={current(href) ? "page" : undefined}>{label}</a>
        ))}
        <a href="/docs/" target="_blank" rel="noopener">Docs</a>
      </nav>
      <a class="button primary" href="/jobs/new">New job</a>
      <Menu
        label={session.value?.key_name ?? "Menu"}
        items={[
          ...THEMES.map(({ value, label }) => ({
            label: `Theme: ${label}`,
            checked: theme.value === value,
            onSelect: () => setTheme(value),
          })),
          ...(session.value?.key_id
            ? [{ label: "Sign out", onSelect: () => void signOut().catch((error: unknown) => toast(error)) }]
            : []),
        ]}
      />
    </header>
  );
}
