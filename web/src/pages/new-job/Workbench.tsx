import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ComponentType } from "preact";
import type { EditorHandle } from "../../editor/editor";
import { fixesOf, type Fix } from "../../editor/fixes";
import { ProblemList } from "../../editor/ProblemList";
import { suggest } from "../../editor/completion";
import { describe } from "../../editor/hover";
import { parseText, type PlacedProblem } from "../../editor/text";
import { useLanguage } from "../../editor/useLanguage";
import { useValidation } from "../../editor/useValidation";
import { ApiError } from "../../api/problem";
import type { ProblemDetail } from "../../api/schema";
import { Loading, Problems } from "../../ui/Message";
import { Beginnings } from "./Beginnings";
import type { Draft } from "./drafts";
import { formatSpec } from "./format";
import { NetworkPicture } from "./NetworkPicture";
import { Note } from "./Note";
import { Outcome } from "./Outcome";
import type { Beginning } from "./source";
import { useProblems } from "./useProblems";
import { Verdict } from "./Verdict";

interface Props {
  text: string;
  beginning: Beginning;
  draft: Draft | null;
  saved: boolean;
  onChange: (text: string) => void;
  onRestart: () => void;
  onSubmit: () => Promise<void>;
}

type EditorProps = Parameters<(typeof import("../../editor/CodeEditor"))["default"]>[0];

const NONE: ProblemDetail[] = [];

/** The editor, and beside it what the service says of the text. */
export function Workbench({ text, beginning, draft, saved, onChange, onRestart, onSubmit }: Props) {
  const language = useLanguage();
  const { validation, checking } = useValidation(text);
  const current = validation.text === text;
  const warnings = validation.report?.warnings ?? NONE;
  const problems = useProblems(text, current ? validation.errors : NONE, current ? warnings : NONE);
  const errors = problems.filter((each) => each.severity === "error").length;
  const editor = useRef<EditorHandle | undefined>(undefined);
  const fixes = useCallback((of: string, { problem }: PlacedProblem): Fix[] => fixesFor(of, problem), []);
  const columns = useMemo(() => validation.report?.data_schema.columns.map((column) => column.name) ?? [], [validation.report]);
  const { submit, sending, failure } = useSubmission(onSubmit);
  const accepted = current && validation.report !== null;
  const empty = text.trim() === "";
  return (
    <div class="new-job" onKeyDown={(event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && accepted && void submit()}>
      <Note beginning={beginning} draft={draft} saved={saved} onRestart={onRestart} />
      <div class="new-job-columns">
        <section class="new-job-text" aria-label="Spec">
          <LazyEditor
            text={text}
            label="The job's spec, as JSON"
            problems={problems}
            onChange={onChange}
            onReady={(ready) => (editor.current = ready)}
            onSubmit={() => accepted && void submit()}
            suggest={(of, at) => language ? suggest(of, at, language, columns) : null}
            describe={(of, at) => language ? describe(of, at, language) : null}
            fixes={fixes}
          />
          <div class="row">
            <button type="button" disabled={parseText(text).errors.length > 0 || empty} onClick={() => editor.current?.setText(formatSpec(JSON.parse(text)))}>Format</button>
            <span class="muted hint"><kbd>Ctrl</kbd>+<kbd>Space</kbd> completes, <kbd>F8</kbd> goes to the next problem, <kbd>Ctrl</kbd>+<kbd>F</kbd> searches</span>
          </div>
        </section>
        <section class="new-job-answer" aria-label="What the service says">
          <div class="row spread">
            <Verdict empty={empty} errors={errors} warnings={warnings.length} checking={checking} accepted={accepted} failure={current ? validation.failure : null} />
            <button type="button" class="primary" disabled={!accepted || sending} title="Ctrl+Enter" onClick={() => void submit()}>{sending ? "Submitting…" : "Submit"}</button>
          </div>
          {failure !== null && <Problems error={failure} />}
          {problems.length > 0 && (
            <ProblemList text={text} problems={problems} fixesOf={(problem) => fixes(text, problem)} onGo={(problem) => editor.current?.goTo(problem)} onFix={(fix) => editor.current?.apply(fix.edits)} />
          )}
          {validation.report && !empty && <Outcome report={validation.report} seconds={beginning.seconds} />}
          {empty ? <Beginnings /> : <NetworkPicture text={text} validation={validation} onGo={(range) => editor.current?.goTo(range)} />}
        </section>
      </div>
    </div>
  );
}

function fixesFor(text: string, problem: ProblemDetail): Fix[] {
  const { root, errors } = parseText(text);
  return root && errors.length === 0 ? fixesOf(text, root, problem) : [];
}

function useSubmission(onSubmit: () => Promise<void>) {
  const [sending, setSending] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const submit = async () => {
    if (sending) return;
    setSending(true);
    setFailure(null);
    try {
      await onSubmit();
    } catch (error) {
      setFailure(error instanceof ApiError && error.status === 401 ? null : error); // signed out: the text is kept
      setSending(false);
    }
  };
  return { submit, sending, failure };
}

/** The editor is the largest part of the page: it comes by itself. */
function LazyEditor(props: EditorProps) {
  const [loaded, setLoaded] = useState<{ Editor: ComponentType<EditorProps> }>();
  const [error, setError] = useState<unknown>();
  useEffect(() => void import("../../editor/CodeEditor").then((module) => setLoaded({ Editor: module.default }), setError), []);
  if (error !== undefined) return <Problems error={error} />;
  return loaded ? <loaded.Editor {...props} /> : <Loading what="the editor" />;
}
