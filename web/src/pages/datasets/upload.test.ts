import { expect, it } from "vitest";
import { ApiError } from "../../api/problem";
import type { Dataset } from "../../api/schema";
import { fingerprint, upload, type Progress, type UploadApi } from "./upload";

/** A service that answers a list of failures first, one for each piece. */
class Service implements UploadApi {
  content = "";
  pauses: number[] = [];
  ranges: string[] = [];
  constructor(private size: number, private failures: (ApiError | null)[] = []) {}
  read = () => Promise.resolve(this.dataset());
  async put(_id: string, piece: Blob, range: string) {
    this.ranges.push(range);
    const failure = this.failures.shift();
    if (failure) throw failure;
    const [, start] = /^bytes (\d+)-/.exec(range) ?? [];
    if (start !== undefined && Number(start) !== this.content.length) throw new ApiError(409, { code: "wrong_offset" });
    this.content += await piece.text();
    return this.dataset();
  }
  pause = (milliseconds: number) => (this.pauses.push(milliseconds), Promise.resolve());
  private dataset = () => ({ status: this.content.length === this.size ? "ready" : "awaiting_content", received: this.content.length }) as Dataset;
}

const LONG = "0123456789abcdef".repeat((3 << 20) / 16); // 3 MiB: two pieces
const send = (service: Service, text: string, signal = new AbortController().signal) => {
  const seen: Progress[] = [];
  return upload(service, "ds", new Blob([text]), (each) => seen.push(each), signal).then(() => seen);
};

it("sends pieces that grow", async () => {
  const service = new Service(LONG.length);
  const seen = await send(service, LONG);
  expect(service.content === LONG).toBe(true);
  expect(service.ranges).toEqual(["bytes 0-1048575/3145728", "bytes 1048576-3145727/3145728"]);
  expect(seen.map((each) => each.reading)).toEqual([false, true]);
});

it("goes on where the service is", async () => {
  const service = new Service(10);
  service.content = "0123";
  await send(service, "0123456789");
  expect(service.content).toBe("0123456789");
  expect(service.ranges).toEqual(["bytes 4-9/10"]);
});

it.each([0, 408, 503, 507])("sends a piece again after %d", async (status) => {
  const service = new Service(4, [new ApiError(status, {}), new ApiError(status, {}, 7)]);
  const seen = await send(service, "abcd");
  expect(service.content).toBe("abcd");
  expect(service.pauses).toEqual([500, 7000]);
  expect(seen.filter((each) => each.waits)).toHaveLength(2);
});

it("asks again after a conflict, and finishes what is there as a whole", async () => {
  const service = new Service(4, [new ApiError(409, {})]);
  service.content = "ab";
  await send(service, "abcd");
  expect(service.content).toBe("abcd");
  const whole = new Service(-1, [new ApiError(503, {})]);
  whole.content = "abcd";
  const finished = send(whole, "abcd");
  whole["size"] = 4;
  await finished;
  expect(whole.ranges).not.toContain("bytes 0-3/4");
});

it.each([403, 413, 422])("ends with the problem of %d", async (status) => {
  await expect(send(new Service(4, [new ApiError(status, { detail: "no" })]), "abcd")).rejects.toThrow("no");
});

it("gives up when another window sends too", async () => {
  await expect(send(new Service(4, Array.from({ length: 9 }, () => new ApiError(409, { detail: "busy" }))), "abcd")).rejects.toThrow("busy");
});

it("tells files apart by their beginning and end", async () => {
  const one = await fingerprint(new File(["abc"], "a.csv"));
  const other = await fingerprint(new File(["abd"], "a.csv"));
  expect(one).toMatchObject({ name: "a.csv", size: 3 });
  expect(one.hash).not.toBe(other.hash);
});
