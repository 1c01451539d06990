import { useMemo, useRef } from "preact/hooks";
import type { ProblemDetail } from "../../api/schema";
import { markOf } from "../../editor/pointers";
import { parseText, type Range } from "../../editor/text";
import type { Validation } from "../../editor/useValidation";
import type { InspectedNetwork } from "../../graph/model/inspection";
import { NetworkDrawing } from "../../graph/NetworkDrawing";

interface Props {
  text: string;
  validation: Validation;
  onGo: (range: Range) => void;
}

const NONE: ProblemDetail[] = [];

/** The network of the text that was validated last; of one with problems what could be inferred, with these marked. */
export function NetworkPicture({ text, validation, onGo }: Props) {
  const picture = useRef<{ inspection: InspectedNetwork | null; model: unknown; problems: ProblemDetail[] } | null>(null);
  picture.current = useMemo(() => pictureOf(validation) ?? picture.current, [validation]);
  if (!picture.current) return null;
  const select = (path: string | null) => {
    const range = path === null ? null : placeOf(text, pointerOf(picture.current!.inspection, path));
    if (range) onGo(range);
  };
  return (
    <div class={`new-job-network ${validation.text === text ? "" : "old"}`}>
      <NetworkDrawing {...picture.current} onSelect={select} label="The network of this job" />
    </div>
  );
}

function pictureOf({ text, report, errors, partialGraph }: Validation) {
  if (report) return { inspection: report.inspection as unknown as InspectedNetwork, model: undefined, problems: NONE };
  if (errors.length === 0 || parseText(text).errors.length > 0) return null;
  const { model } = JSON.parse(text) as { model?: unknown };
  return { inspection: partialGraph as unknown as InspectedNetwork | null, model, problems: errors };
}

/** The place in the document of an outermost node. */
const pointerOf = (inspection: InspectedNetwork | null, path: string): string | undefined =>
  inspection?.nodes.find((node) => node.id === path.split(".")[0])?.pointer;

function placeOf(text: string, pointer: string | undefined): Range | null {
  const { root, errors } = parseText(text);
  return pointer !== undefined && root && errors.length === 0 ? markOf(root, pointer, "", text) : null;
}
