/** Asking nodes, from the command line: its flags, and the client's errors as the command's. */
import { CairnClient, ClientError } from "../../client/index.ts";
import { CliError, EXIT } from "./error.ts";

export interface ClientFlags {
  readonly url?: string | readonly string[];
  readonly token?: string;
  readonly json?: boolean;
}

export const DEFAULT_URL = "http://127.0.0.1:26601";

/** Of the nodes that are named, or the one that is asked by default. */
export function urlsOf({ url }: ClientFlags): string[] {
  const given = url ?? process.env["CAIRN_URL"] ?? DEFAULT_URL;
  return (typeof given === "string" ? [given] : given).flatMap((text) => text.split(",")).map((each) => each.trim());
}

/** Throws CliError 2 for what is no URL. */
export function clientOf(flags: ClientFlags): CairnClient {
  try {
    return new CairnClient(urlsOf(flags), { token: flags.token ?? process.env["CAIRN_TOKEN"] });
  } catch (error) {
    throw error instanceof ClientError ? new CliError(EXIT.usage, `--url ${error.message}`) : error;
  }
}

/** The client's answer. Throws CliError: 1 when a node says no, 3 when none can be reached. */
export async function answerOf<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof ClientError ? cliErrorOf(error) : error;
  }
}

export function cliErrorOf(error: ClientError): CliError {
  const { code, message, details } = error;
  switch (code) {
    case "REFUSED": {
      const hint = details.nodeCode === "UNAUTHORIZED" ? "; give it with --token or in CAIRN_TOKEN" : "";
      return new CliError(EXIT.no, `the node says no (${details.httpStatus} ${details.nodeCode}): ${message}${hint}`);
    }
    case "UNREACHABLE":
      return new CliError(EXIT.unreachable, `${message}${howToReach(message)}`);
    case "INVALID_ARGUMENT":
    case "STREAM_PRUNED":
      return new CliError(EXIT.no, message);
    case "OUTCOME_UNKNOWN":
      return new CliError(details.pending ? EXIT.no : EXIT.unreachable, message);
    default:
      return new CliError(EXIT.unreachable, message);
  }
}

function howToReach(message: string): string {
  return message.includes("nothing listens there") ? "; is the node running? --url names another" : "";
}

/** An answer of a node, whatever its status. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Whether an answer is one that a Cairn node gives: what listens there may be anything. */
export type Shape<T> = (value: unknown) => value is T;

/** One question. Throws CliError 3 when there is no node, or it does not answer, or a 200 has another shape. */
export async function ask<T>(flags: ClientFlags, path: string, isShape: Shape<T>): Promise<Answer> {
  try {
    return { status: 200, body: await clientOf(flags).get(path, {}, isShape) };
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    const { httpStatus, nodeCode, nodeDetails } = error.details;
    if (error.code !== "REFUSED" || httpStatus === undefined) throw cliErrorOf(error);
    const details = nodeDetails === undefined ? {} : { details: nodeDetails };
    return { status: httpStatus, body: { error: { code: nodeCode, message: error.message, ...details } } };
  }
}

/** The body of a 200. Throws CliError: 1 for any other answer, with what the node says; 3 for another shape. */
export async function get<T>(flags: ClientFlags, path: string, isShape?: Shape<T>): Promise<T> {
  const client = clientOf(flags);
  return answerOf(isShape === undefined ? (client.get(path) as Promise<T>) : client.get(path, {}, isShape));
}

/** What a node answered instead of what was asked for. */
export function refusal({ status, body }: Answer): CliError {
  const { code, message } = errorOf(body) ?? {
    code: `HTTP_${status}`,
    message: "the answer is not one of a Cairn node",
  };
  return cliErrorOf(new ClientError("REFUSED", message, { httpStatus: status, nodeCode: code }));
}

export function errorOf(body: unknown): { readonly code: string; readonly message: string } | undefined {
  if (typeof body !== "object" || body === null || !("error" in body)) return undefined;
  const { error } = body;
  if (typeof error !== "object" || error === null || !("code" in error) || !("message" in error)) return undefined;
  return { code: String(error.code), message: String(error.message) };
}
