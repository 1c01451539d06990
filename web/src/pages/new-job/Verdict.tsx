import { Problems } from "../../ui/Message";

interface Props {
  empty: boolean;
  errors: number;
  warnings: number;
  checking: boolean;
  accepted: boolean; // the text as it is would be accepted
  failure: unknown; // why nothing was said
}

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? "" : "s"}`;

/** Whether the spec would be accepted, in one line that screen readers follow. */
export function Verdict({ empty, errors, warnings, checking, accepted, failure }: Props) {
  const text = empty
    ? "Nothing is written yet."
    : checking
      ? "Checking…"
      : errors > 0
        ? `${count(errors, "problem")} keep${errors === 1 ? "s" : ""} the job from being accepted.`
        : accepted
          ? `The job would be accepted${warnings > 0 ? `, with ${count(warnings, "warning")}` : ""}.`
          : "";
  return (
    <>
      <p role="status" class={`new-job-verdict ${checking || empty ? "" : errors > 0 ? "refused" : accepted ? "accepted" : ""}`}>{text}</p>
      {failure != null && <Problems error={failure} />}
    </>
  );
}
