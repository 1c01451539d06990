import { useEffect, useState } from "preact/hooks";
import { call } from "../api/client";
import { ApiError } from "../api/problem";
import type { JsonObject, ProblemDetail, Report } from "../api/schema";
import { parseText } from "./text";

/** What the service says of a text, which may be one that was typed a moment ago. */
export interface Validation {
  text: string; // of which the rest tells
  report: Report | null; // of a spec that would be accepted
  errors: ProblemDetail[];
  partialGraph: JsonObject | null; // of a network with problems: what is right
  failure: unknown; // why the service did not answer
}

const PAUSE_MS = 450;
const RETRY_MS = 3000; // while the service cannot be reached, or is busy
const NOTHING: Validation = { text: "", report: null, errors: [], partialGraph: null, failure: null };

/**
 * Have a text validated as a submission would be, a moment after the last key; an earlier request is given up.
 * A text that is no JSON is not sent: its errors are in the text itself.
 */
export function useValidation(text: string, send: (text: string, signal: AbortSignal) => Promise<Report> = validate): { validation: Validation; checking: boolean } {
  const [validation, setValidation] = useState(NOTHING);
  const [turn, setTurn] = useState(0);
  const { root, errors } = parseText(text);
  const sendable = root !== undefined && errors.length === 0;
  useEffect(() => {
    if (!sendable) return;
    const controller = new AbortController();
    let timer = setTimeout(() => {
      send(text, controller.signal).then(
        (report) => setValidation({ ...NOTHING, text, report }),
        (error: unknown) => {
          if (controller.signal.aborted) return;
          setValidation(outcomeOf(text, error));
          if (isTemporary(error)) timer = setTimeout(() => setTurn((n) => n + 1), RETRY_MS);
        },
      );
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [text, sendable, turn]);
  return { validation, checking: sendable && validation.text !== text };
}

const validate = (text: string, signal: AbortSignal): Promise<Report> => call<Report>("POST", "/v1/jobs/validate", { body: text, signal });

const isTemporary = (error: unknown): boolean => error instanceof ApiError && (error.offline || error.status === 429 || error.status === 503);

function outcomeOf(text: string, error: unknown): Validation {
  if (!(error instanceof ApiError) || error.errors.length === 0) return { ...NOTHING, text, failure: error };
  return { ...NOTHING, text, errors: error.errors, partialGraph: error.partialGraph };
}
