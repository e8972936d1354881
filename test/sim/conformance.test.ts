/** Every engine passes one suite, and docs/conformance.md says so. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { conformancePage, SCENARIOS } from "../../tools/sim/conformance/page.ts";
import { isAsked, SUBJECTS } from "../../tools/sim/conformance/subject.ts";

describe.each(SUBJECTS)("$engine", (subject) => {
  it.each(SCENARIOS.filter((scenario) => isAsked(subject, scenario)))("$name: $demand", (scenario) =>
    scenario.run(subject),
  );
});

describe("docs/conformance.md", () => {
  it("is current: `npm run conformance` would write the same", () => {
    expect(readFileSync(join(import.meta.dirname, "../../docs/conformance.md"), "utf8")).toBe(conformancePage());
  });
});
