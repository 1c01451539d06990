import { useState } from "preact/hooks";
import { send } from "../../../api/client";
import { Problems } from "../../../ui/Message";

const FORMS = [
  { form: "onnx", label: "ONNX", file: "model.onnx" },
  { form: "torch_export", label: "torch.export", file: "model.pt2" },
  { form: "bundle", label: "Everything (zip)", file: "bundle.zip" },
] as const;

interface Made {
  form: string;
  difference: string | null;
}

/** Forms of the network that the service makes at the first request, which takes a while. */
export function Exports({ checkpointId }: { checkpointId: string }) {
  const [busy, setBusy] = useState("");
  const [made, setMade] = useState<Made>();
  const [error, setError] = useState<unknown>();
  const make = async (form: string, file: string) => {
    const url = `/v1/checkpoints/${checkpointId}/exports/${form}`;
    setBusy(form);
    setError(undefined);
    setMade(undefined);
    try {
      const response = await send("GET", url, { accept: "*/*" }); // by GET, since a problem of HEAD has no document
      await response.body?.cancel(); // it is made: the browser downloads it
      setMade({ form, difference: response.headers.get("graftwerk-max-difference") });
      const link = document.createElement("a");
      link.href = url;
      link.download = file;
      link.click();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy("");
    }
  };
  return (
    <>
      <div class="row">
        {FORMS.map(({ form, label, file }) => (
          <button key={form} type="button" disabled={busy !== ""} onClick={() => void make(form, file)}>{busy === form ? `Making ${label}…` : label}</button>
        ))}
      </div>
      <p class="hint" role="status">
        {busy && "The network is traced in a process of its own; this may take a minute."}
        {made?.difference && `Largest difference to the network's own outputs, on random inputs: ${made.difference}.`}
        {made && !made.difference && "It is being downloaded."}
      </p>
      {error !== undefined && <Problems error={error} />}
    </>
  );
}
