/** The pages of docs/modes: a picture and the same as Mermaid, from a run (`npm run modes` writes them). */
import { toMermaid } from "./diagram/mermaid.ts";
import { toSvg } from "./diagram/svg.ts";
import { DRAWN_SCENARIOS, type DrawnScenario } from "./scenarios/drawn.ts";

/** Content by file name. */
export function modePages(): Map<string, string> {
  const pages = new Map<string, string>([["README.md", index()]]);
  for (const scenario of DRAWN_SCENARIOS) {
    const recording = scenario.record();
    pages.set(`${scenario.name}.md`, page(scenario, toMermaid(recording)));
    pages.set(`${scenario.name}.svg`, toSvg(recording, scenario.title));
  }
  return pages;
}

function page({ name, title, text }: DrawnScenario, mermaid: string): string {
  return [
    `# ${title}`,
    text,
    `![${title}](${name}.svg)`,
    "The same as text:",
    `\`\`\`mermaid\n${mermaid}\`\`\``,
    `From a run of the simulator: \`cairn sim ${name} --diagram out.svg\` draws it again, \`npm run modes\` writes this page.`,
  ]
    .join("\n\n")
    .concat("\n");
}

function index(): string {
  const lines = DRAWN_SCENARIOS.map(({ name, title }) => `- [${title}](${name}.md)`);
  return [
    "# What the protocols look like",
    "Each page shows one situation as a sequence of messages, from a run of the simulator. `C_7` is the seventh event shown at process C; a " +
      "block is named `view/height`. Messages take 1 ms and writes half of that. What changes nothing is folded: repeated heartbeats, and what the " +
      "receiver knew already. `npm run modes` writes these pages; a test fails when they are not what the code does.",
    lines.join("\n"),
  ]
    .join("\n\n")
    .concat("\n");
}
