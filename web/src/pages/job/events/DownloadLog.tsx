import { useState } from "preact/hooks";
import type { Job } from "../../../api/schema";
import { toast } from "../../../ui/Toast";
import { readPages } from "./useEvents";

/** All events of a job as lines of JSON. */
export function DownloadLog({ job }: { job: Job }) {
  const [busy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    try {
      const events = await readPages(job.id, 0, Infinity, new AbortController().signal);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob(events.map((event) => `${JSON.stringify(event)}\n`), { type: "application/x-ndjson" }));
      link.download = `${job.id}.events.ndjson`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch (error) {
      toast(error);
    } finally {
      setBusy(false);
    }
  };
  return <button type="button" disabled={busy} onClick={() => void save()}>{busy ? "Reading all events…" : "Download as NDJSON"}</button>;
}
