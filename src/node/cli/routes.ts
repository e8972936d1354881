/** `cairn routes`. */
import type { Routes } from "../../client/answers.ts";
import { answerOf, type ClientFlags, clientOf } from "./client.ts";
import { EXIT, type ExitStatus } from "./error.ts";
import { print, printable, printJson, shortId, table } from "./terminal.ts";

export async function routesCommand(flags: ClientFlags): Promise<ExitStatus> {
  const routes = await answerOf(clientOf(flags).routes());
  if (flags.json) printJson(routes);
  else print(routeTable(routes));
  return EXIT.ok;
}

function routeTable({ routes }: Routes): string {
  const rows = routes.map(({ name, producer, via, metric, candidates }) => [
    printable(name),
    shortId(producer),
    via === null ? "none" : via === producer ? "direct" : shortId(via),
    metric === null ? "-" : String(metric),
    String(candidates.length),
    String(candidates.filter(({ feasible }) => feasible).length),
  ]);
  return table(["PRODUCER", "KEY", "NEXT HOP", "METRIC MS", "ROUTES", "FEASIBLE"], rows);
}
