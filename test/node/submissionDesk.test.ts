import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { transactionId } from "../../chain/transaction.ts";
import type { SubmitAnswer, TransactionOutcome } from "../../src/replica/types.ts";
import { SubmissionDesk } from "../../src/node/submissionDesk.ts";
import { toHex, utf8 } from "../../src/base/bytes.ts";

const place = { height: 3, index: 1 };
const receipt = utf8("receipt");
const accepted = (id: string): SubmitAnswer => ({ status: "accepted", id });
const included = (id: string): TransactionOutcome => ({ status: "included", id, place, receipt });
const irreversible = (id: string): TransactionOutcome => ({ status: "irreversible", id, place, receipt });

/** A desk whose replica answers each transaction, given as its name, by `answer`; then `after` happens in the same step. */
function makeDesk(
  answer: (id: string) => SubmitAnswer = accepted,
  after: (desk: SubmissionDesk) => void = () => undefined,
): SubmissionDesk {
  const desk: SubmissionDesk = new SubmissionDesk((request, transactions) => {
    desk.submitted(
      request,
      transactions.map((bytes) => answer(new TextDecoder().decode(bytes))),
    );
    after(desk);
  });
  return desk;
}
const names = (...ids: string[]): Uint8Array[] => ids.map(utf8);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("submitters who wait (DESIGN section 7, POST /v1/transactions)", () => {
  it("`accepted` is answered at once; what is refused at once is, whatever was waited for", async () => {
    const refused: SubmitAnswer[] = [
      { status: "invalid", id: "x", code: "ODD", detail: "" },
      { status: "full", id: "x" },
      { status: "inChain", id: "x", place },
    ];
    await expect(makeDesk().submit(names("a"), "accepted", 1_000)).resolves.toEqual([accepted("a")]);
    for (const answer of refused)
      await expect(makeDesk(() => answer).submit(names("x"), "irreversible", 1_000)).resolves.toEqual([answer]);
    await expect(makeDesk().submit([], "irreversible", 1_000)).resolves.toEqual([]);
  });

  it("`included` ends with the first block, `irreversible` only when it is; results come in order", async () => {
    const desk = makeDesk();
    const [first, both] = [
      desk.submit(names("a"), "included", 1_000),
      desk.submit(names("b", "a"), "irreversible", 1_000),
    ];
    expect(desk.waiting).toBe(3);
    desk.outcomes([included("a"), included("b")]);
    await expect(first).resolves.toEqual([included("a")]);
    expect(desk.waiting).toBe(2);
    desk.outcomes([irreversible("a")]);
    desk.outcomes([irreversible("b")]);
    await expect(both).resolves.toEqual([irreversible("b"), irreversible("a")]);
    expect(desk.waiting).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("an outcome of the very step that took the transaction is not missed", async () => {
    const rejected: TransactionOutcome = { status: "rejected", id: "a", code: "ODD", detail: "" };
    for (const outcome of [included("a"), rejected]) {
      const desk = makeDesk(accepted, (self) => self.outcomes([outcome]));
      await expect(desk.submit(names("a"), "included", 1_000)).resolves.toEqual([outcome]);
    }
  });

  it("expired and rejected end every wait", async () => {
    const ends: TransactionOutcome[] = [
      { status: "expired", id: "a" },
      { status: "rejected", id: "a", code: "ODD", detail: "" },
    ];
    for (const end of ends) {
      const desk = makeDesk();
      const waits = [desk.submit(names("a"), "included", 1_000), desk.submit(names("a"), "irreversible", 1_000)];
      desk.outcomes([end]);
      await expect(Promise.all(waits)).resolves.toEqual([[end], [end]]);
    }
  });

  it("one that is in a block already is waited for only if it must be irreversible", async () => {
    const desk = makeDesk((id) => ({ status: "included", id, place }));
    await expect(desk.submit(names("a"), "included", 1_000)).resolves.toEqual([
      { status: "included", id: "a", place, receipt: undefined },
    ]);
    const waits = desk.submit(names("a"), "irreversible", 1_000);
    desk.outcomes([irreversible("a")]);
    await expect(waits).resolves.toEqual([irreversible("a")]);
  });

  it("the same id twice in one batch: both places are answered, and counted", async () => {
    const desk = makeDesk();
    const waits = desk.submit(names("a", "b", "a"), "irreversible", 1_000);
    expect(desk.waiting).toBe(3);
    desk.outcomes([irreversible("a")]);
    expect(desk.waiting).toBe(1);
    desk.outcomes([irreversible("b")]);
    await expect(waits).resolves.toEqual(["a", "b", "a"].map(irreversible));
    expect(desk.waiting).toBe(0);
  });

  it("two who wait for one transaction do not disturb each other", async () => {
    const desk = makeDesk();
    const impatient = desk.submit(names("a", "a"), "irreversible", 100);
    const patient = desk.submit(names("a"), "irreversible", 1_000);
    vi.advanceTimersByTime(100);
    await expect(impatient).resolves.toEqual([
      { status: "pending", id: "a" },
      { status: "pending", id: "a" },
    ]);
    expect(desk.waiting).toBe(1);
    desk.outcomes([irreversible("a")]);
    await expect(patient).resolves.toEqual([irreversible("a")]);
    expect(desk.waiting).toBe(0);
  });
});

describe("a wait ends", () => {
  it("when its time is over: what is known is told, the rest is pending", async () => {
    const desk = makeDesk();
    const waits = desk.submit(names("a", "b"), "included", 500);
    desk.outcomes([included("b")]);
    vi.advanceTimersByTime(499);
    expect(desk.waiting).toBe(1);
    vi.advanceTimersByTime(1);
    await expect(waits).resolves.toEqual([{ status: "pending", id: "a" }, included("b")]);
    expect(desk.waiting).toBe(0);
    desk.outcomes([included("a")]);
  });

  it("when the node stops", async () => {
    const desk = makeDesk();
    const waits = [
      desk.submit(names("a", "b", "a"), "irreversible", 1_000),
      desk.submit(names("b"), "included", 1_000),
    ];
    desk.stop();
    const pending = (id: string): unknown => ({ status: "pending", id });
    await expect(Promise.all(waits)).resolves.toEqual([["a", "b", "a"].map(pending), [pending("b")]]);
    expect([desk.waiting, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it("at once when the node has stopped or halted and answers nothing: never by a rejection", async () => {
    const desk = new SubmissionDesk(() => undefined);
    const id = toHex(transactionId(utf8("a")));
    await expect(desk.submit(names("a"), "accepted", 1_000)).resolves.toEqual([{ status: "noLeader", id }]);
  });

  it("at once above the bound of those who wait", async () => {
    const desk = makeDesk();
    const many = Array.from({ length: 200_000 }, () => utf8("a"));
    const waits = desk.submit(many, "irreversible", 1_000);
    await expect(desk.submit(names("b"), "irreversible", 1_000)).resolves.toEqual([{ status: "pending", id: "b" }]);
    desk.stop();
    await waits;
  });
});
