/** docs/conformance.md: every engine against every scenario (`npm run conformance` writes it). */
import { CRASHES } from "./crashes.ts";
import { DISKS } from "./disks.ts";
import { LINKS } from "./links.ts";
import { isAsked, type Scenario, SUBJECTS } from "./subject.ts";

export const SCENARIOS: readonly Scenario[] = [...CRASHES, ...LINKS, ...DISKS];

const GROUPS = [
  ["Processes", CRASHES],
  ["Links and messages", LINKS],
  ["Disks", DISKS],
] as const;

export function conformancePage(): string {
  const engines = SUBJECTS.map(({ engine }) => engine);
  const sizes = SUBJECTS.map(
    ({ engine, bearing }) => `${engine}: ${bearing(1)} producers bear one failure, ${bearing(3)} three`,
  );
  return [
    "# Conformance: what every engine has to pass",
    "One suite for all engines (`tools/sim/conformance`, `test/sim/conformance.test.ts`): a scenario knows which engine it asks only by how many producers bear a failure, " +
      "how long the next leader may take, and whether a lost record comes back. All oracles of the simulator watch; what is not said here has to hold as well " +
      `([testing.md](testing.md)). ${sizes.join("; ")}.`,
    "`yes`: asked, and passed by every build, or the tests fail. A reason: not asked.",
    ...GROUPS.map(([title, scenarios]) => `## ${title}\n\n${table(engines, scenarios)}`),
    "`npm run conformance` writes this page; a test fails when it is not what the code asks. A new engine is a row of `SUBJECTS` in `tools/sim/conformance/subject.ts`.",
  ]
    .join("\n\n")
    .concat("\n");
}

function table(engines: readonly string[], scenarios: readonly Scenario[]): string {
  const rows = scenarios.map((scenario) => {
    const cells = SUBJECTS.map((subject) =>
      isAsked(subject, scenario) ? "yes" : `no: ${scenario.notFor?.[subject.engine]}`,
    );
    return `| ${[scenario.name, scenario.demand, ...cells].join(" | ")} |`;
  });
  const head = ["scenario", "what has to hold", ...engines];
  return [`| ${head.join(" | ")} |`, `|${head.map(() => "---").join("|")}|`, ...rows].join("\n");
}
