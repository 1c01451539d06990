import { EXAMPLES } from "./examples";

/** What to begin with, where nothing is written yet. */
export function Beginnings() {
  return (
    <section class="panel">
      <h2>Begin with an example</h2>
      <p class="muted">They use data and environments that ship with the service. Or paste a job, or begin to write: <kbd>Ctrl</kbd>+<kbd>Space</kbd> says what can stand at the cursor.</p>
      <ul class="new-job-examples">
        {EXAMPLES.map((example) => (
          <li key={example.name}>
            <a href={`/jobs/new?example=${example.name}`}>{example.title}</a>
            <span class="muted"> {example.description}</span>
          </li>
        ))}
      </ul>
      <p>With data of your own, <a href="/datasets">a data set</a> can propose a job for each of its columns.</p>
    </section>
  );
}
