import { useState } from "preact/hooks";
import { toast } from "./Toast";

export function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    } catch {
      toast(new Error("the browser does not allow to copy: select the text instead"));
    }
  };
  return (
    <button type="button" onClick={() => void copy()}>{copied ? "Copied" : label}</button>
  );
}
