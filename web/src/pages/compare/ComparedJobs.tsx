import type { Job } from "../../api/schema";
import type { CurveLoader } from "../../curves/loader";
import { betterOf } from "../../curves/names";
import { Swatch } from "../../curves/Legend";
import { queryParameters, setQuery } from "../../shell/router";
import { StatusBadge } from "../../ui/StatusBadge";
import { jobColors, valueOf } from "./comparison";
import type { Difference } from "./differences";

interface Props {
  jobs: readonly Job[];
  loaders: readonly CurveLoader[];
  found: readonly Difference[];
  colorBy: string;
  hidden: readonly string[];
  names: readonly string[];
  ids: readonly string[];
}

const MOST_COLUMNS = 14;

/** The jobs with what their specs differ in and the values that they reached; a column's head sorts by it. */
export function ComparedJobs({ jobs, loaders, found, colorBy, hidden, names, ids }: Props) {
  const colors = jobColors(jobs, found, colorBy);
  const measured = [...names].sort((a, b) => Number(betterOf(b) !== null) - Number(betterOf(a) !== null)).slice(0, 6);
  const paths = found.slice(0, MOST_COLUMNS);
  const sort = queryParameters.value.get("sort") ?? "";
  const rows = jobs.map((job, index) => ({ job, index, color: colors[index]! }));
  const key = ({ job, index }: (typeof rows)[number]): string | number => {
    const name = sort.replace(/^-/, "");
    const difference = found.find(({ path }) => path === name);
    if (difference) return comparable(difference.values[index]);
    return measured.includes(name) ? (valueOf(loaders[index], name)?.value ?? NaN) : job.name;
  };
  if (sort) rows.sort((a, b) => order(key(a), key(b)) * (sort.startsWith("-") ? -1 : 1));
  const toggle = (id: string) => setQuery({ hide: hidden.includes(id) ? hidden.filter((each) => each !== id) : [...hidden, id] });
  return (
    <div class="scroll compare-jobs" tabIndex={0} role="region" aria-label="Jobs that are compared">
      <table>
        <thead>
          <tr>
            <Head name="name" label="Job" sort={sort} />
            {paths.map(({ path }) => <Head key={path} name={path} label={path} sort={sort} />)}
            {measured.map((name) => <Head key={name} name={name} label={betterOf(name) ? `Best ${name}` : name} sort={sort} number />)}
            <th scope="col"><span class="visually-hidden">Take away</span></th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ job, index, color }) => (
            <tr key={job.id}>
              <th scope="row">
                <label class="compare-job">
                  <input type="checkbox" checked={!hidden.includes(job.id)} onChange={() => toggle(job.id)} aria-label={`Show ${job.name}`} />
                  <Swatch line={{ color, dashed: false }} />
                </label>
                <a href={`/jobs/${job.id}`}>{job.name}</a> <StatusBadge status={job.status} />
              </th>
              {paths.map(({ path, values }) => <td key={path}>{values[index] === undefined ? <span class="muted">–</span> : <code>{values[index]}</code>}</td>)}
              {measured.map((name) => <td key={name} class="number">{valueOf(loaders[index], name)?.text ?? "–"}</td>)}
              <td><button type="button" class="plain" aria-label={`Take away ${job.name}`} onClick={() => setQuery({ job: ids.filter((id) => id !== job.id) })}>×</button></td>
            </tr>
          ))}
        </tbody>
      </table>
      {found.length > MOST_COLUMNS && <p class="hint">The specs differ in {found.length - MOST_COLUMNS} further places; the saved file has them all.</p>}
      {jobs.length > 1 && !found.length && <p class="hint">The specs of these jobs do not differ, but for their names.</p>}
    </div>
  );
}

function Head({ name, label, sort, number }: { name: string; label: string; sort: string; number?: boolean }) {
  const state = sort === name ? "ascending" : sort === `-${name}` ? "descending" : "none";
  return (
    <th scope="col" class={number ? "number" : ""} aria-sort={state}>
      <button type="button" class="plain" onClick={() => setQuery({ sort: state === "ascending" ? `-${name}` : name })}>
        {label} {state === "ascending" ? "↑" : state === "descending" ? "↓" : ""}
      </button>
    </th>
  );
}

const comparable = (value: string | undefined): string | number => (value === undefined ? "" : value !== "" && Number.isFinite(Number(value)) ? Number(value) : value);

function order(a: string | number, b: string | number): number {
  if (typeof a === "number" && typeof b === "number") return Number.isNaN(a) ? 1 : Number.isNaN(b) ? -1 : a - b;
  return String(a) < String(b) ? -1 : 1;
}
