import { parseTree, printParseErrorCode, type Node, type ParseError } from "jsonc-parser";
import type { ProblemDetail } from "../api/schema";

export type { Node } from "jsonc-parser";

/** A part of a text, in UTF-16 code units from its start. */
export interface Range {
  from: number;
  to: number;
}

/** A problem at its place in the text. */
export interface PlacedProblem extends Range {
  problem: ProblemDetail;
  severity: "error" | "warning";
}

const MESSAGES: Record<string, string> = {
  InvalidSymbol: "this is no JSON value",
  InvalidNumberFormat: "this is no number",
  PropertyNameExpected: 'a name in double quotes is expected, such as "kind"',
  ValueExpected: "a value is expected",
  ColonExpected: "a colon is expected",
  CommaExpected: "a comma is expected",
  CloseBraceExpected: "a closing brace is expected: }",
  CloseBracketExpected: "a closing bracket is expected: ]",
  EndOfFileExpected: "nothing is expected behind the end of the document",
  InvalidCommentToken: "JSON has no comments",
  UnexpectedEndOfComment: "JSON has no comments",
  UnexpectedEndOfString: "the string does not end",
  UnexpectedEndOfNumber: "the number does not end",
  InvalidUnicode: "this is no Unicode escape",
  InvalidEscapeCharacter: "there is no such escape in JSON",
  InvalidCharacter: "this sign is not allowed in a string",
};

export interface Parsed {
  root: Node | undefined; // of as much as can be read
  errors: PlacedProblem[]; // what keeps the text from being JSON
}

/** Read a text as JSON, as far as that is possible. */
export function parseText(text: string): Parsed {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { disallowComments: true });
  if (text.trim() === "") return { root: undefined, errors: [] };
  return { root, errors: errors.map((error) => placed(error, text.length)) };
}

function placed({ error, offset, length }: ParseError, end: number): PlacedProblem {
  const detail = MESSAGES[printParseErrorCode(error)] ?? "this is no JSON";
  const from = Math.min(offset, Math.max(0, end - 1));
  return { from, to: Math.min(end, from + Math.max(1, length)), severity: "error", problem: { pointer: "", code: "syntax", detail, hint: "" } };
}

/** The property of an object by its name, as jsonc-parser has it: a node of the two children name and value. */
export const propertyOf = (node: Node | undefined, name: string): Node | undefined =>
  node?.type === "object" ? node.children?.find((each) => each.children?.[0]?.value === name) : undefined;

export const valueOf = (node: Node | undefined, name: string): Node | undefined => propertyOf(node, name)?.children?.[1];

export const lineOf = (text: string, offset: number): number => text.slice(0, offset).split("\n").length;
