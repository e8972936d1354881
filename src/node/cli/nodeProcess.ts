/** One node of a devnet as a process of its own, its log in `D/nodeI.log`. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, renameSync } from "node:fs";
import { createInterface } from "node:readline";
import type { DevnetNode } from "./devnetPlan.ts";
import { cairnArguments } from "./self.ts";

const LOG_TAIL_LINES = 5;

export class NodeProcess {
  readonly node: DevnetNode;
  readonly logFile: string;
  readonly #child: ChildProcess;
  readonly #serving = Promise.withResolvers<boolean>();
  readonly #exited = Promise.withResolvers<string>();
  /** How the process ended; undefined while it runs. */
  ending: string | undefined;

  constructor(node: DevnetNode) {
    this.node = node;
    this.logFile = `${node.dir}.log`;
    if (existsSync(this.logFile)) renameSync(this.logFile, `${this.logFile}.1`);
    const log = openSync(this.logFile, "w");
    // The channel tells the node when this process is gone, however it went.
    this.#child = spawn(process.execPath, cairnArguments(["start", node.dir, "--with-parent"]), {
      stdio: ["ignore", "pipe", log, "ipc"],
    });
    closeSync(log);
    this.#watch();
  }

  /** True when the node serves, false when it ended before. */
  get serving(): Promise<boolean> {
    return this.#serving.promise;
  }

  /** Resolves with how it ended; never rejects. */
  get exited(): Promise<string> {
    return this.#exited.promise;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.ending === undefined) this.#child.kill(signal);
  }

  /** The last lines that the node wrote. */
  logTail(): string {
    return readFileSync(this.logFile, "utf8").trimEnd().split("\n").slice(-LOG_TAIL_LINES).join("\n");
  }

  #watch(): void {
    const child = this.#child;
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on("line", (line) => {
        if (line.startsWith("listening ")) this.#serving.resolve(true);
      });
    }
    child.on("error", (error) => this.#end(`cannot be started: ${error.message}`));
    child.on("exit", (status, signal) => this.#end(signal === null ? `exit status ${status}` : signal));
  }

  #end(how: string): void {
    if (this.ending !== undefined) return;
    this.ending = how;
    this.#serving.resolve(false);
    this.#exited.resolve(how);
  }
}
