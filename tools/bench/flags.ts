/** What the flags of `cairn bench` commands are read with, and the machine that their figures are of. */
import { cpus, totalmem } from "node:os";
import { InvalidArgumentError } from "commander";

export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`a whole number from ${min} to ${max}`);
    return value;
  };
}

export function integers(min: number, max: number): (text: string) => number[] {
  const one = integer(min, max);
  return (text) => text.split(",").map(one);
}

export function machine() {
  return {
    cores: cpus().length,
    model: cpus()[0]?.model,
    memoryGigabytes: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  };
}
