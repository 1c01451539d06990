import { findNodeAtOffset } from "jsonc-parser";
import { pathOf } from "./fixes";
import { span } from "./pointers";
import type { Language } from "./schemas";
import { parseText, type Range } from "./text";
import { fieldWords, kindWords, typeWords } from "./words";

export interface Description extends Range {
  title: string;
  lines: string[];
}

/** What stands at an offset: a field of the language, or the name of a kind. */
export function describe(text: string, offset: number, language: Language): Description | null {
  const { root } = parseText(text);
  const node = root && findNodeAtOffset(root, offset);
  if (!node || node.type !== "string") return null;
  if (node.parent?.type === "property" && node.parent.children![0] === node) {
    const holder = pathOf(node.parent.parent!);
    const name = node.value as string;
    const owners = language.at(root, holder).filter((schema) => schema.properties?.[name]);
    const schemas = language.at(root, [...holder, name], true);
    if (owners.length === 0 || schemas.length === 0) return null;
    const required = owners.some((schema) => schema.required?.includes(name));
    return { ...span(node), title: name, lines: [typeWords(schemas), fieldWords(schemas, required)].filter(Boolean) };
  }
  const path = pathOf(node);
  const isTag = path.at(-1) === "kind";
  const schemas = isTag ? language.at(root, path.slice(0, -1)) : language.at(root, path, true).filter((schema) => schema.properties);
  const kind = schemas.length > 0 ? language.kindNamed(node.value as string, schemas) : undefined;
  return kind ? { ...span(node), title: kind.kind, lines: kindWords(kind) } : null;
}
