import { useEffect, useRef } from "preact/hooks";
import { createEditor, type EditorHandle, type Options } from "./editor";
import type { PlacedProblem } from "./text";
import "./editor.css";

interface Props extends Options {
  problems: readonly PlacedProblem[];
  onReady: (editor: EditorHandle) => void;
}

/**
 * An editor of JSON. It begins with `text`, and tells by `onChange` what it has from then on: what is typed is ahead of
 * what the page knows, so that only `EditorHandle.setText` replaces it.
 */
export default function CodeEditor({ problems, onReady, ...options }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<EditorHandle | undefined>(undefined);
  const latest = useRef(options);
  latest.current = options;
  useEffect(() => {
    const root = host.current!.shadowRoot ?? host.current!.attachShadow({ mode: "open" });
    const made = createEditor(root, {
      text: latest.current.text,
      label: latest.current.label,
      onChange: (text) => latest.current.onChange(text),
      onSubmit: () => latest.current.onSubmit(),
      suggest: (text, offset) => latest.current.suggest(text, offset),
      describe: (text, offset) => latest.current.describe(text, offset),
      fixes: (text, problem) => latest.current.fixes(text, problem),
    });
    editor.current = made;
    onReady(made);
    return () => made.destroy();
  }, []);
  useEffect(() => editor.current?.setProblems(problems), [problems]);
  return <div class="code-editor" ref={host} />;
}
