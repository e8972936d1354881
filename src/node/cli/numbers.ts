/** Numbers of the command line. */
import { CliError, EXIT } from "./error.ts";

/** A whole number in bounds, as the user wrote it. Throws CliError 2. */
export function wholeNumber(flag: string, text: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new CliError(EXIT.usage, `${flag} ${text}: must be a whole number from ${min} to ${max}`);
}
