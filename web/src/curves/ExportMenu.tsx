import type { ChartContent } from "../charts/paint";
import { Menu, type MenuItem } from "../ui/Menu";
import { toast } from "../ui/Toast";
import { chartsPng, chartsSvg, fileName, pageHtml, saveFile, type FileTable } from "./files";

interface Props {
  name: string;
  contents: () => ChartContent[];
  facts: () => [string, string][];
  tables: () => FileTable[];
  csv: () => Promise<void>;
}

/** What is shown, as files. */
export function ExportMenu({ name, contents, facts, tables, csv }: Props) {
  const failing = (work: () => Promise<void> | void) => () => void Promise.resolve().then(work).catch((error: unknown) => toast(error));
  const items: MenuItem[] = [
    { label: "CSV: every point", onSelect: failing(csv) },
    { label: "PNG: the charts", onSelect: failing(async () => saveFile(fileName(name, "png"), await chartsPng(contents()))) },
    { label: "SVG: the charts", onSelect: failing(() => saveFile(fileName(name, "svg"), new Blob([chartsSvg(contents())], { type: "image/svg+xml" }))) },
    {
      label: "HTML: this view in one file",
      onSelect: failing(() => saveFile(fileName(name, "html"), new Blob([pageHtml(name, facts(), contents(), tables())], { type: "text/html" }))),
    },
  ];
  return <Menu label="Save" items={items} />;
}
