import { useEffect, useState } from "preact/hooks";
import { post } from "../../api/client";
import { useResource } from "../../api/resource";
import type { Job } from "../../api/schema";
import { session } from "../../api/session";
import { navigate, queryParameters } from "../../shell/router";
import { Loading, Problems } from "../../ui/Message";
import { readDraft, removeDraft, saveDraft, type Draft } from "./drafts";
import { loadSource, readSource, sourceKey, type Beginning } from "./source";
import { Workbench } from "./Workbench";
import "./new-job.css";

/** A new job: from nothing, an example, another job, a checkpoint or a data set. What is written is never lost. */
export default function NewJobPage() {
  const source = readSource(queryParameters.value);
  const key = sourceKey(source);
  const owner = session.value?.owner ?? "";
  const { data: beginning, error, reload } = useResource((signal) => loadSource(source, signal), [key]);
  const draft = readDraft(owner, key);
  if (!beginning && !(error && draft)) return error ? <Problems error={error} retry={reload} /> : <Loading what="the job" />;
  return (
    <>
      <h1>{source.kind === "fork" ? "Go on from a checkpoint" : "New job"}</h1>
      {error !== undefined && <Problems error={error} retry={reload} />}
      <Writing key={`${owner} ${key}`} owner={owner} source={key} beginning={beginning ?? NO_BEGINNING} />
    </>
  );
}

const NO_BEGINNING: Beginning = { text: "", note: "", link: null, seconds: null, reasons: [], warnings: [] };

function Writing({ owner, source, beginning }: { owner: string; source: string; beginning: Beginning }) {
  const [draft, setDraft] = useState<Draft | null>(() => {
    const kept = readDraft(owner, source);
    return kept && kept.text !== beginning.text ? kept : null;
  });
  const [text, setText] = useState(draft?.text ?? beginning.text);
  const [saved, setSaved] = useState(true);
  const [round, setRound] = useState(0); // of the editor, which begins anew with another text
  const change = (next: string) => {
    setText(next);
    if (next === beginning.text) removeDraft(owner, source);
    else setSaved(saveDraft(owner, source, next));
  };
  const restart = () => {
    setDraft(null);
    change(beginning.text);
    setRound(round + 1);
  };
  const submit = async () => {
    const job = await post<Job>("/v1/jobs", text);
    removeDraft(owner, source);
    navigate(`/jobs/${job.id}`);
  };
  useEffect(() => {
    const keep = (event: StorageEvent) => event.key === null && saveDraft(owner, source, text); // another tab cleared the storage
    addEventListener("storage", keep);
    return () => removeEventListener("storage", keep);
  }, [text]);
  return <Workbench key={round} text={text} beginning={beginning} draft={draft} saved={saved} onChange={change} onRestart={restart} onSubmit={submit} />;
}
