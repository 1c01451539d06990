import { useEffect, useRef, useState } from "preact/hooks";
import { navigate, setQuery } from "../../shell/router";
import { Field } from "../../ui/Field";
import { StatusBadge } from "../../ui/StatusBadge";
import { formatLabel, isFiltered, jobIdIn, parseLabel, STATUSES, type Filters } from "./filters";

const PAUSE_MS = 300;
const change = (changes: Parameters<typeof setQuery>[0]) => setQuery({ ...changes, after: null });

/** What the list is filtered by; everything stands in the address. */
export function FilterBar({ filters, metrics, metric }: { filters: Filters; metrics: string[]; metric: string }) {
  return (
    <div class="jobs-filters">
      <div class="row">
        <Search filters={filters} />
        <LabelFilter filters={filters} />
        <Field label="Curve">
          {(attributes) => (
            <select {...attributes} value={metric} onChange={(event) => setQuery({ metric: event.currentTarget.value })}>
              <option value="">loss or return</option>
              {[...new Set([metric, ...metrics])].filter(Boolean).map((name) => <option key={name} value={name}>{name}</option>)}
            </select>
          )}
        </Field>
      </div>
      <div class="row">
        <StatusFilter filters={filters} />
        {filters.name && <Chip label={`called ${filters.name}`} onRemove={() => change({ name: null })} />}
        {filters.labels.map((label) => (
          <Chip key={formatLabel(label)} label={formatLabel(label)} onRemove={() => change({ label: filters.labels.filter((each) => each !== label).map(formatLabel) })} />
        ))}
        {isFiltered(filters) && <button type="button" class="plain" onClick={() => change({ status: null, search: null, name: null, label: null })}>Clear the filters</button>}
      </div>
    </div>
  );
}

function Search({ filters }: { filters: Filters }) {
  const [text, setText] = useState(filters.search);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => setText(filters.search), [filters.search]);
  useEffect(() => {
    if (text === filters.search) return; // nothing was typed: the address stays as it came
    const timer = setTimeout(() => text.trim() !== filters.search && jobIdIn(text) === null && change({ search: text.trim() }), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const id = jobIdIn(text);
    if (id) navigate(`/jobs/${id}`);
    else change({ search: text.trim() });
  };
  return (
    <form class="grow" role="search" onSubmit={submit}>
      <Field label="Search">
        {(attributes) => (
          <input {...attributes} ref={input} type="search" maxLength={200} placeholder="a part of the name, or a job's id ( / )" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        )}
      </Field>
    </form>
  );
}

function StatusFilter({ filters: { statuses } }: { filters: Filters }) {
  const toggle = (status: string) => change({ status: statuses.includes(status) ? statuses.filter((each) => each !== status) : [...statuses, status] });
  return (
    <div class="row statuses" role="group" aria-label="Status">
      {STATUSES.map((status) => (
        <button key={status} type="button" aria-pressed={statuses.includes(status)} onClick={() => toggle(status)}><StatusBadge status={status} /></button>
      ))}
    </div>
  );
}

function LabelFilter({ filters }: { filters: Filters }) {
  const [text, setText] = useState("");
  const [error, setError] = useState<string>();
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const label = parseLabel(text);
    setError(label ? undefined : "write it as key=value");
    if (!label) return;
    setText("");
    change({ label: [...new Set([...filters.labels, label].map(formatLabel))] });
  };
  return (
    <form onSubmit={submit}>
      <Field label="Label" error={error}>
        {(attributes) => <input {...attributes} placeholder="key=value, Enter" value={text} onInput={(event) => setText(event.currentTarget.value)} />}
      </Field>
    </form>
  );
}

const Chip = ({ label, onRemove }: { label: string; onRemove: () => void }) => (
  <span class="tag">
    {label} <button type="button" class="plain" aria-label={`No longer filter by ${label}`} onClick={onRemove}>×</button>
  </span>
);
