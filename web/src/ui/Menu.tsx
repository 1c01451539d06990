import { useEffect, useId, useRef, useState } from "preact/hooks";

export interface MenuItem {
  label: string;
  onSelect?: () => void;
  href?: string; // a link instead; a download if it leads to /v1
  checked?: boolean;
  disabled?: boolean;
}

/** A button that opens a list of actions, by mouse or keyboard (arrows, Home, End, Escape). */
export function Menu({ label, items, primary }: { label: string; items: readonly MenuItem[]; primary?: boolean }) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => {
    if (!open) return;
    focusItem(root.current, 0);
    const close = (event: Event) => {
      if (!event.composedPath().includes(root.current!)) setOpen(false);
    };
    addEventListener("pointerdown", close);
    return () => removeEventListener("pointerdown", close);
  }, [open]);
  const dismiss = () => {
    setOpen(false);
    root.current?.querySelector("button")?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!open) return;
    const all = itemsOf(root.current);
    const at = all.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Escape") dismiss();
    else if (event.key === "Tab") setOpen(false);
    else if (next !== undefined) focusItem(root.current, (next + all.length) % all.length);
    else return;
    if (event.key !== "Tab") event.preventDefault();
  };
  return (
    <div class="menu" ref={root} onKeyDown={onKeyDown}>
      <button type="button" class={primary ? "primary" : ""} aria-haspopup="menu" aria-expanded={open} aria-controls={open ? id : undefined} onClick={() => setOpen(!open)}>
        {label} <span aria-hidden="true">▾</span>
      </button>
      {open && (
        <div id={id} class="menu-items" role="menu" aria-label={label}>
          {items.map((item) => (
            <Item key={item.label} item={item} onDone={dismiss} />
          ))}
        </div>
      )}
    </div>
  );
}

function Item({ item, onDone }: { item: MenuItem; onDone: () => void }) {
  if (item.href && !item.disabled) {
    return (
      <a role="menuitem" href={item.href} tabIndex={-1} download={item.href.startsWith("/v1/") ? "" : undefined} onClick={onDone}>{item.label}</a>
    );
  }
  const role = item.checked === undefined ? "menuitem" : "menuitemradio";
  return (
    <button type="button" role={role} tabIndex={-1} aria-checked={item.checked} disabled={item.disabled} onClick={() => (onDone(), item.onSelect?.())}>
      {item.label}
    </button>
  );
}

const itemsOf = (root: HTMLElement | null): HTMLElement[] => [...(root?.querySelectorAll<HTMLElement>(".menu-items > :not(:disabled)") ?? [])];
const focusItem = (root: HTMLElement | null, index: number) => itemsOf(root)[index]?.focus();
