import { describe, expect, it } from "vitest";
import type { Hello } from "../../consensus/messages.ts";
import { HELLO_EVERY_MS, HELLOS_AT_ONCE } from "../../consensus/sync/constants.ts";
import { HelloAllowance } from "../../consensus/sync/helloAllowance.ts";

const REF = { view: 0, height: 0, id: "" };
const hello = (seq: number): Hello => ({ seq, echo: 0, head: REF, root: REF, locator: [], irreversibleHeight: 0 });

describe("hellos of a peer", () => {
  it("are looked at at once as many as are allowed; then the newest waits, and one more comes in every so often", () => {
    const allowance = new HelloAllowance(1_000);
    for (let seq = 1; seq <= HELLOS_AT_ONCE; seq++) expect(allowance.admits(hello(seq), 1_000)).toBe("now");
    expect(allowance.deadline).toBe(Number.POSITIVE_INFINITY);
    expect([20, 22, 21].map((seq) => allowance.admits(hello(seq), 1_000))).toEqual(["waits", "tooMany", "tooMany"]);
    expect(allowance.deadline).toBe(1_000 + HELLO_EVERY_MS);
    expect(allowance.takeDue(1_000 + HELLO_EVERY_MS - 1)).toBeUndefined();
    expect(allowance.takeDue(1_000 + HELLO_EVERY_MS)?.seq).toBe(22);
    expect([allowance.deadline, allowance.takeDue(9_000)]).toEqual([Number.POSITIVE_INFINITY, undefined]);
  });

  it("do not overtake the one that waits, and never earn more than the first allowance", () => {
    const allowance = new HelloAllowance(0);
    for (let seq = 1; seq <= HELLOS_AT_ONCE + 1; seq++) allowance.admits(hello(seq), 0);
    expect(allowance.admits(hello(50), 60_000)).toBe("tooMany");
    expect(allowance.takeDue(60_000)?.seq).toBe(50);
    let admitted = 0;
    for (let seq = 51; seq < 100; seq++) if (allowance.admits(hello(seq), 60_000) === "now") admitted++;
    expect(admitted).toBe(HELLOS_AT_ONCE - 1);
  });
});
