import { expect, it } from "vitest";
import { progressOf } from "./progress";

it("takes an empty progress for none", () => expect(progressOf({ eta_seconds: "Infinity" })).toMatchObject({ step: 0, total: null, eta: null, latest: {} }));
