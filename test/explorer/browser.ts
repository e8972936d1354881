/** Debian's Chromium, driven without a window: for the explorer page. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Where it is; undefined: it is not installed, and what needs it is skipped. */
export const CHROMIUM = [process.env["CHROMIUM"], "/usr/bin/chromium"].find(
  (file) => file !== undefined && existsSync(file),
);
export const WITHOUT_CHROMIUM = "skipped: there is no /usr/bin/chromium; apt install chromium, or CHROMIUM=FILE";

export function openBrowser(): Promise<Browser> {
  if (CHROMIUM === undefined) throw new Error(WITHOUT_CHROMIUM);
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: ["--no-sandbox", "--disable-gpu"] });
}
