/** A block out of the JSON that `GET /v1/blocks/{ref}` and `inspect export` give. */
import { assembleBlock, type Block, encodeBody } from "../../chain/block.ts";
import { type Configuration, makeConfiguration } from "../../chain/configuration.ts";
import { encodeList } from "../../chain/byteList.ts";
import { headerMessage } from "../../chain/header.ts";
import { fromBase64Url } from "../../src/base/base64url.ts";
import { err, ok, type Result } from "../../src/base/result.ts";

export interface ReadBlock {
  readonly block: Block;
  /** Of this block or of one above it. */
  readonly certificate: Uint8Array | undefined;
}

/** @returns what is wrong, in words, when the value is no block or its hashes do not fit together */
export function blockOfJson(value: unknown): Result<ReadBlock, string> {
  if (!isObject(value) || !isObject(value["header"])) return err("it is no block");
  const { config, nextConfig, ...rest } = value["header"];
  const header = {
    ...rest,
    configuration: config,
    ...(nextConfig === undefined ? {} : { nextConfiguration: nextConfig }),
  };
  let headerBytes: Uint8Array;
  try {
    headerBytes = headerMessage.encode(header as Parameters<typeof headerMessage.encode>[0]);
  } catch {
    return err("its header has a member of the wrong type");
  }
  const signature = bytesOf(value["signature"]);
  const listed = value["transactions"];
  if (signature === undefined || !Array.isArray(listed)) return err("it lacks its signature or its transactions");
  const transactions = listed.map((each: unknown) => (isObject(each) ? bytesOf(each["bytes"]) : undefined));
  if (!transactions.every((each) => each !== undefined)) return err("a transaction in it has no bytes");
  const set = value["nextProducers"];
  const [proposed, entry, proof] = [
    set === undefined ? undefined : setOf(set),
    bytesOf(value["entry"]),
    bytesOf(value["proof"]),
  ];
  if (set !== undefined && proposed === undefined) return err("the producers that it proposes are no set");
  const body = encodeBody(encodeList(transactions).buffer, {
    ...(proposed && { nextConfiguration: proposed }),
    ...(entry && { entry }),
    ...(proof && { proof }),
  });
  const block = assembleBlock(headerBytes, signature, body);
  if (!block.ok) return err(block.error.code === "UNDECODABLE" ? block.error.detail : "body and header differ");
  if (block.value.id !== value["id"]) return err(`its header's SHA-256 is ${block.value.id}, not its id`);
  return ok({ block: block.value, certificate: bytesOf(value["certificate"]) });
}

function setOf(value: unknown): Configuration | undefined {
  try {
    return Array.isArray(value) ? makeConfiguration(value as string[]) : undefined;
  } catch {
    return undefined;
  }
}

function bytesOf(value: unknown): Uint8Array | undefined {
  return typeof value === "string" ? fromBase64Url(value) : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
