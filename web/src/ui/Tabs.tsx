/** Links to the parts of a page, each of which has an address. */
export function Tabs({ label, tabs, current }: { label: string; tabs: readonly { href: string; label: string; id: string }[]; current: string }) {
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map((tab) => (
        <a key={tab.id} href={tab.href} aria-current={tab.id === current ? "page" : undefined}>{tab.label}</a>
      ))}
    </nav>
  );
}
