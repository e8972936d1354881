/** `cairn sim SCENARIO --diagram FILE` and `cairn sim --list`. */
import { writeFileSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import { toMermaid } from "./diagram/mermaid.ts";
import { toSvg } from "./diagram/svg.ts";
import { DRAWN_SCENARIOS } from "./scenarios/drawn.ts";

/** @returns the exit status */
export function listScenarios(): number {
  for (const { name, title } of DRAWN_SCENARIOS) process.stdout.write(`${name.padEnd(24)}${title}\n`);
  return 0;
}

/** Throws InvalidArgumentError on wrong usage. @returns the exit status */
export function draw(name: string | undefined, file: string | undefined): number {
  const names = DRAWN_SCENARIOS.map((each) => each.name).join(", ");
  const scenario = DRAWN_SCENARIOS.find((each) => each.name === name);
  if (scenario === undefined) throw new InvalidArgumentError(`${name ?? "no scenario"}: must be one of ${names}`);
  if (file === undefined)
    throw new InvalidArgumentError("--diagram FILE is missing, a name that ends with .svg or .md");
  if (!/\.(svg|md)$/.test(file)) throw new InvalidArgumentError(`${file}: must end with .svg or .md`);
  const { title, text } = scenario;
  const recording = scenario.record();
  const markdown = (): string => `# ${title}\n\n${text}\n\n\`\`\`mermaid\n${toMermaid(recording)}\`\`\`\n`;
  writeFileSync(file, file.endsWith(".svg") ? toSvg(recording, title) : markdown());
  process.stdout.write(`wrote ${file}\n`);
  return 0;
}
