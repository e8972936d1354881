/** `npm run modes`: writes docs/modes. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { modePages } from "./modePages.ts";

const folder = join(import.meta.dirname, "../../docs/modes");
mkdirSync(folder, { recursive: true });
for (const [name, content] of modePages()) writeFileSync(join(folder, name), content);
