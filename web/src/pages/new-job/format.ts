/** A spec as people write it: what fits on a line stands on one, the rest is indented by two. */
export function formatSpec(value: unknown, width = 110): string {
  return `${write(value, "", 0, width)}\n`;
}

function write(value: unknown, indent: string, used: number, width: number): string {
  const line = oneLine(value);
  if (indent !== "" && indent.length + used + line.length <= width) return line;
  if (Array.isArray(value) && value.length > 0) {
    const items = value.map((each) => `${indent}  ${write(each, `${indent}  `, 1, width)}`);
    return `[\n${items.join(",\n")}\n${indent}]`;
  }
  if (isObject(value) && Object.keys(value).length > 0) {
    const fields = Object.entries(value).map(([name, each]) => {
      const key = `${JSON.stringify(name)}: `;
      return `${indent}  ${key}${write(each, `${indent}  `, key.length + 1, width)}`;
    });
    return `{\n${fields.join(",\n")}\n${indent}}`;
  }
  return line;
}

function oneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(oneLine).join(", ")}]`;
  if (isObject(value)) return `{${Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${oneLine(each)}`).join(", ")}}`;
  return JSON.stringify(value);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
