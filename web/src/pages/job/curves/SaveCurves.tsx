import { send } from "../../../api/client";
import type { Job } from "../../../api/schema";
import { ExportMenu } from "../../../curves/ExportMenu";
import { fileName, saveFile } from "../../../curves/files";
import { formatTime } from "../../../ui/format";
import type { Charts } from "./charts";
import { pinTable, summaryTable } from "./tables";
import { parseView } from "../../../curves/view";
import { queryParameters } from "../../../shell/router";

export function SaveCurves({ job, charts, names }: { job: Job; charts: Charts; names: readonly string[] }) {
  const contents = () => charts.panels.map(({ content }) => ({ ...content, label: `${job.name}: ${content.label}` }));
  const pins = () => parseView(queryParameters.value).pins;
  const tables = () => {
    const lines = charts.panels.flatMap(({ content }) => content.lines);
    return [summaryTable(charts.summaries), ...(pins().length ? [pinTable(lines, pins())] : [])];
  };
  const csv = async () => {
    const query = names.join(",").length < 3500 ? { names: names.join(",") } : {};
    const response = await send("GET", `/v1/jobs/${job.id}/metrics`, { accept: "text/csv", query });
    saveFile(fileName(job.name, "csv"), await response.blob());
  };
  const facts = (): [string, string][] => [
    ["Job", job.id], ["Status", job.status], ["Created", formatTime(job.created_at)], ["Saved", formatTime(new Date().toISOString())],
    ...Object.entries(job.metadata), ["View", location.href],
  ];
  return <ExportMenu name={job.name} contents={contents} facts={facts} tables={tables} csv={csv} />;
}
