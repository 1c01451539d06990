import { send } from "../../api/client";
import type { Job } from "../../api/schema";
import { ExportMenu } from "../../curves/ExportMenu";
import { saveFile, type FileTable } from "../../curves/files";
import type { CurveLoader } from "../../curves/loader";
import { formatTime } from "../../ui/format";
import { valueOf, type ComparedChart } from "./comparison";
import type { Difference } from "./differences";

interface Props {
  jobs: readonly Job[];
  charts: readonly ComparedChart[];
  found: readonly Difference[];
  loaders: readonly CurveLoader[];
  names: readonly string[];
}

export function SaveComparison({ jobs, charts, found, loaders, names }: Props) {
  const tables = (): FileTable[] => [
    {
      caption: "Jobs: what their specs differ in, and what they reached",
      columns: ["Job", "Status", ...found.map(({ path }) => path), ...names],
      rows: jobs.map((job, index) => [
        `${job.name} (${job.id})`, job.status, ...found.map(({ values }) => values[index] ?? "–"), ...names.map((name) => valueOf(loaders[index], name)?.text ?? "–"),
      ]),
    },
  ];
  const csv = async () => {
    const parts: string[] = [];
    for (const job of jobs) {
      const response = await send("GET", `/v1/jobs/${job.id}/metrics`, { accept: "text/csv" });
      const [head, ...rows] = (await response.text()).trimEnd().split("\n");
      if (!parts.length) parts.push(`job,${head}`);
      for (const row of rows) parts.push(`${job.id},${row}`);
    }
    saveFile("comparison.csv", new Blob([parts.join("\n"), "\n"], { type: "text/csv" }));
  };
  const facts = (): [string, string][] => [["Saved", formatTime(new Date().toISOString())], ["View", location.href]];
  return <ExportMenu name="comparison" contents={() => charts.map(({ content }) => content)} facts={facts} tables={tables} csv={csv} />;
}
