/** Counters whose counts are kept elsewhere and read at each scrape. */
import { Counter, type Registry } from "prom-client";

/** Takes the count of one series. */
export type SetCount = (labels: Record<string, string>, count: number) => void;

/** @param name ends with `_total`, as Prometheus names what only grows until a restart */
export function totals(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  collect: (set: SetCount) => void,
): void {
  new Counter({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    collect() {
      // A counter can only be added to. What is gone, as a peer's link, leaves no series.
      this.reset();
      collect((labels, count) => this.inc(labels, count));
    },
  });
}
