import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

interface Props {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  actions?: ComponentChildren; // buttons at the end
  wide?: boolean;
}

/** A modal dialog: the browser's own, so that focus stays inside and Escape closes it. */
export function Dialog({ title, onClose, children, actions, wide }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    element.current?.showModal();
  }, []);
  return (
    <dialog
      ref={element}
      class={wide ? "wide" : ""}
      aria-labelledby={id}
      onClose={onClose}
      onClick={(event) => event.target === element.current && onClose()}
    >
      <div class="dialog-content">
        <h2 id={id}>{title}</h2>
        {children}
        <div class="actions">{actions ?? <button type="button" onClick={onClose}>Close</button>}</div>
      </div>
    </dialog>
  );
}
