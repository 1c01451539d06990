import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, startCompletion, type Completion, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, hoverTooltip, keymap, lineNumbers, type KeyBinding } from "@codemirror/view";
import type { Edit } from "jsonc-parser";
import type { Suggestion, Suggestions } from "./completion";
import type { Description } from "./hover";
import type { Fix } from "./fixes";
import type { PlacedProblem, Range } from "./text";
import { appearance } from "./theme";

export interface Options {
  text: string;
  label: string; // for screen readers
  onChange: (text: string) => void;
  onSubmit: () => void; // Ctrl or Command and Enter
  suggest: (text: string, offset: number) => Suggestions | null;
  describe: (text: string, offset: number) => Description | null;
  fixes: (text: string, problem: PlacedProblem) => Fix[];
}

/** What the page does with an editor. */
export interface EditorHandle {
  setText: (text: string) => void;
  setProblems: (problems: readonly PlacedProblem[]) => void;
  apply: (edits: readonly Edit[]) => void;
  goTo: (range: Range) => void;
  destroy: () => void;
}

/** Make an editor in a shadow root: there its styles are adopted style sheets, which a strict security policy allows. */
export function createEditor(root: ShadowRoot, options: Options): EditorHandle {
  const view = new EditorView({ root, parent: root, state: EditorState.create({ doc: options.text, extensions: extensionsOf(options) }) });
  const apply = (edits: readonly Edit[]) => {
    view.dispatch({ changes: edits.map(({ offset, length, content }) => ({ from: offset, to: offset + length, insert: content })), userEvent: "input.fix" });
  };
  return {
    apply,
    setText: (text) => {
      if (text !== view.state.doc.toString()) view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
    },
    setProblems: (problems) => view.dispatch(setDiagnostics(view.state, problems.map((problem) => diagnosticOf(problem, view, options, apply)))),
    goTo: ({ from, to }) => {
      view.dispatch({ selection: { anchor: from, head: Math.min(to, view.state.doc.length) }, effects: EditorView.scrollIntoView(from, { y: "center" }) });
      view.focus();
    },
    destroy: () => view.destroy(),
  };
}

function diagnosticOf(placed: PlacedProblem, view: EditorView, options: Options, apply: (edits: readonly Edit[]) => void): Diagnostic {
  const { problem, severity } = placed;
  const end = view.state.doc.length;
  const fixes = options.fixes(view.state.doc.toString(), placed);
  return {
    from: Math.min(placed.from, end),
    to: Math.min(placed.to, end),
    severity,
    message: problem.hint ? `${problem.detail}\n${problem.hint}` : problem.detail,
    actions: fixes.map((fix) => ({ name: fix.label, apply: () => apply(fix.edits) })),
  };
}

function extensionsOf({ label, onChange, onSubmit, suggest, describe }: Options): Extension[] {
  const submit: KeyBinding = { key: "Mod-Enter", run: () => (onSubmit(), true) };
  return [
    lineNumbers(), highlightActiveLineGutter(), history(), foldGutter(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(),
    highlightActiveLine(), highlightSelectionMatches(), lintGutter(), json(),
    autocompletion({ override: [(context) => completionsOf(context, suggest)], icons: false }),
    hoverTooltip((view, at) => tooltipOf(describe(view.state.doc.toString(), at))),
    keymap.of([submit, ...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap, ...completionKeymap, ...lintKeymap]),
    EditorView.lineWrapping,
    EditorView.domEventHandlers({ beforeinput: typeOverSelection }),
    EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", tabindex: "0" }),
    EditorView.updateListener.of((update) => update.docChanged && onChange(update.state.doc.toString())),
    appearance,
  ];
}

function completionsOf(context: CompletionContext, suggest: Options["suggest"]): CompletionResult | null {
  const text = context.state.doc.toString();
  const found = suggest(text, context.pos);
  const typed = /[\w.+-]*$/.exec(text.slice(0, context.pos))![0];
  const opening = text[context.pos - typed.length - 1] ?? "";
  if (!found || (!context.explicit && !typed && !/["[{,\s:]/.test(opening))) return null;
  if (!context.explicit && !typed && /[\s]/.test(opening)) return null;
  const options = found.items.map((item) => optionOf(item, suggest));
  return { from: context.pos - typed.length, options, validFor: /^[\w.+-]*$/ };
}

function optionOf(item: Suggestion, suggest: Options["suggest"]): Completion {
  return {
    label: item.label,
    detail: item.detail,
    boost: item.boost,
    ...(item.info.length > 0 && { info: () => wordsElement(null, item.info) }),
    apply: (view, _completion, _from, to) => {
      const place = suggest(view.state.doc.toString(), to) ?? { from: to, to }; // with what was typed meanwhile
      view.dispatch({ changes: { from: place.from, to: place.to, insert: item.insert }, selection: { anchor: place.from + item.cursor }, userEvent: "input.complete" });
      if (item.cursor < item.insert.length || item.insert.endsWith(": ")) startCompletion(view);
    },
  };
}

/**
 * Typing over a selection. The browser's own way of doing it writes style attributes into the lines, which the security
 * policy refuses, with a message for each.
 */
function typeOverSelection(event: InputEvent, view: EditorView): boolean {
  const { from, to, empty } = view.state.selection.main;
  if (event.inputType !== "insertText" || event.data === null || empty || view.composing) return false;
  const text = event.data;
  const insert = () => view.state.update(view.state.replaceSelection(text), { userEvent: "input.type" });
  event.preventDefault();
  if (!view.state.facet(EditorView.inputHandler).some((handler) => handler(view, from, to, text, insert))) view.dispatch(insert());
  return true;
}

const tooltipOf = (description: Description | null) =>
  description && { pos: description.from, end: description.to, above: true, create: () => ({ dom: wordsElement(description.title, description.lines) }) };

/** Words as elements: text only, whatever it holds. */
function wordsElement(title: string | null, lines: readonly string[]): HTMLElement {
  const element = document.createElement("div");
  element.className = "cm-words";
  if (title !== null) element.appendChild(document.createElement("strong")).textContent = title;
  for (const line of lines) element.appendChild(document.createElement("p")).textContent = line;
  return element;
}
