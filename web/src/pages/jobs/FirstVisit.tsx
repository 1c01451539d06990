import { useState } from "preact/hooks";
import { post } from "../../api/client";
import type { Job } from "../../api/schema";
import { navigate } from "../../shell/router";
import { toast } from "../../ui/Toast";
import { EXAMPLES, type Example } from "../new-job/examples";

/** Where nothing has been trained yet: what to do next, and something to start with one click. */
export function FirstVisit() {
  const [starting, setStarting] = useState<string>();
  const start = async (example: Example) => {
    setStarting(example.name);
    try {
      const job = await post<Job>("/v1/jobs", await example.load());
      navigate(`/jobs/${job.id}`);
    } catch (error) {
      toast(error);
      setStarting(undefined);
    }
  };
  return (
    <section class="jobs-first">
      <h2>Train your first network</h2>
      <p>A job is a network, its data and a plan, written as JSON. These examples use data that ships with the service, and train within a minute.</p>
      <ul class="grid">
        {EXAMPLES.slice(0, 3).map((example) => (
          <li key={example.name} class="panel">
            <h3>{example.title}</h3>
            <p>{example.description}</p>
            <div class="row">
              <button type="button" class="primary" disabled={starting !== undefined} onClick={() => void start(example)}>{starting === example.name ? "Starting…" : "Start"}</button>
              <a href={`/jobs/new?example=${example.name}`}>Look at it first</a>
            </div>
          </li>
        ))}
      </ul>
      <h2>Or with your own</h2>
      <ul>
        <li><a href="/jobs/new">Write a job</a>: the editor completes it, and shows the network as you type.</li>
        <li><a href="/datasets">Upload data</a>, and have a job proposed for a column.</li>
        <li>From a shell: <code>graftwerk submit job.json</code></li>
      </ul>
    </section>
  );
}
