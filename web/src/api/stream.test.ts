import { describe, expect, it } from "vitest";
import { parseMessages } from "./stream";

describe("parseMessages", () => {
  it("keeps the beginning of a message that has not come whole", () => {
    const { messages, rest } = parseMessages('event: status\ndata: {"a":1}\nid: 7\n\nevent: met');
    expect(messages).toEqual([{ id: "7", event: "status", data: '{"a":1}' }]);
    expect(rest).toBe("event: met");
  });

  it("joins lines of data and passes over comments", () => {
    const { messages } = parseMessages(": ping\n\ndata: a\ndata: b\n\n");
    expect(messages[1]).toEqual({ id: "", event: "message", data: "a\nb" });
    expect(messages[0]!.data).toBe("");
  });
});
