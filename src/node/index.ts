/**
 * The node, to be embedded in a program of one's own:
 *
 *     import { makeLogger, readNodeDirectory, startHttp, startNode } from "cairn";
 *
 *     const read = readNodeDirectory("node", {}); // made by `cairn init`, or by createNodeDirectory
 *     if (!read.ok) throw new Error(read.error.messages.join("\n"));
 *     const { dir, config, genesis, key } = read.value;
 *     const log = makeLogger(config.log);
 *     const node = await startNode({ dir, config, genesis, key, log, onFatal: (error) => console.error(error) });
 *     const http = await startHttp(node.api, { ...config.http, transactionBytes: config.transactionBytes, log });
 *     console.log(node.api.status().head.height, http.url);
 *     await node.handOver();
 *     await http.close();
 *     await node.stop();
 *
 * With it the interface of applications ({@link Application}); a genesis names the one that its chain runs, and this
 * version has one, the key-value application. The client is `cairn/client`.
 */
export {
  type Application,
  type ApplicationRefusal,
  type ExecutionContext,
  type ProposalRefusal,
  type StateAccess,
  type StateView,
  TransactionFailed,
} from "../../chain/application.ts";
export { err, ok, type Result } from "../base/result.ts";
export type { NodeApi, NodeStatus } from "./api.ts";
export { APPLICATION_NAMES, applicationByName } from "./applicationByName.ts";
export { createKvApplication } from "./applications/kv.ts";
export { type Config, type ConfigSources, loadConfig } from "./config.ts";
export {
  createNodeDirectory,
  type DirectoryError,
  type NewNode,
  type NodeDirectory,
  readNodeDirectory,
} from "./directory.ts";
export {
  DEFAULT_LIMITS,
  type GenesisError,
  type GenesisFile,
  type GenesisProducer,
  parseGenesis,
  readGenesisFile,
} from "./genesisFile.ts";
export { type HttpServer, startHttp } from "./http/server.ts";
export { generateNodeKey, type KeyError, type NodeKey, readNodeKey, writeNodeKey } from "./keys.ts";
export { type Logger, type LoggerOptions, makeLogger, SILENT } from "./logging.ts";
export { createNetwork, type NetworkNode, type NetworkPlan } from "./network.ts";
export { StartError, startNode } from "./node.ts";
export type { RunningNode, StartOptions } from "./startTypes.ts";
