import { describe, expect, it } from "vitest";
import type { Block } from "../../chain/block.ts";
import type { RuleChain } from "../../chain/headerRules.ts";
import { singleSet } from "../../chain/producerSets.ts";
import type { EngineKit } from "../../consensus/engines.ts";
import { err, ok } from "../../src/base/result.ts";
import { LateAttachments } from "../../src/replica/lateAttachments.ts";
import { KEYS, naiveChild, naiveGenesis, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const root = naiveGenesis(genesis);
const { block } = naiveChild(genesis, root);
const sets = singleSet(genesis.configuration);
const chain: RuleChain = { idAt: () => undefined, setsNamed: () => undefined };
const CLAIMS = ["one", "another"].map((key) => ({ key, digest: new Uint8Array(32), signature: new Uint8Array(64) }));

/** @param forged keys whose signatures are not valid */
function judge(early: Block | undefined, forged: readonly string[], isKnown = true): string {
  const kit = {
    headerRule: () => undefined,
    attachmentClaims: () => (isKnown ? ok(CLAIMS) : err({ code: "PRODUCERS_UNKNOWN", detail: "" })),
  } as unknown as EngineKit;
  const late = new LateAttachments(kit, ({ key }) => !forged.includes(key));
  if (early !== undefined) late.unchecked(early);
  return late.headerRule(block, { block: root.block, setsAfter: sets }, chain)?.code ?? "fine";
}

describe("what is attached to a block that came before its signers were known", () => {
  it("is checked when the block is judged: one forged signature is enough to refuse it", () => {
    expect(judge(block, [])).toBe("fine");
    for (const key of ["one", "another"]) expect(judge(block, [key])).toBe("ATTACHMENT_INVALID");
    expect(judge(block, [KEYS[0] as string], false)).toBe("ATTACHMENT_INVALID");
  });

  it("of all others was checked when they came", () => {
    expect(judge(undefined, ["one"])).toBe("fine");
  });
});
