/** Holds answers against the OpenAPI document. */
import type { Case } from "./cases.ts";
import type { ContractDocument, Content, Operation } from "./document.ts";
import type { Answer, NoAnswer } from "./exchange.ts";

export class Judge {
  readonly #contract: ContractDocument;
  readonly faults: string[] = [];
  /** Operations that succeeded, `GET /v1/status`, and error codes. */
  readonly seen = new Set<string>();
  answers = 0;

  constructor(contract: ContractDocument) {
    this.#contract = contract;
  }

  judge({ operation, what, request, expected, isElsewhere = false }: Case, answer: Answer | NoAnswer): void {
    this.answers++;
    const say = (fault: string): void => {
      this.faults.push(`${request.method} ${request.path.slice(0, 200)} (${what.slice(0, 200)}): ${fault}`);
    };
    if ("broken" in answer) return say(`no answer: ${answer.broken}`);
    const { status } = answer;
    if (!isExpected(operation, expected, status))
      say(`status ${status}, expected ${String(expected)}: ${startOf(answer)}`);
    if (status === 204 || request.method === "HEAD") {
      if (answer.body.length > 0) say("a body where none belongs");
      return;
    }
    const fault =
      status < 300 ? this.#successFault(operation, answer) : this.#errorFault(operation, answer, isElsewhere);
    if (fault !== undefined) say(fault);
  }

  /** Operations that never succeeded, and documented error codes that were never seen anywhere. */
  unseen(): string[] {
    const names = this.#contract.operations.flatMap(({ method, path, responses }) => [
      `${method} ${path}`,
      ...Object.values(responses).flatMap(({ content }) => Object.keys(content?.["application/json"]?.examples ?? {})),
    ]);
    return [...new Set(names)].filter((name) => !this.seen.has(name)).toSorted();
  }

  #successFault(operation: Operation, { status, headers, body }: Answer): string | undefined {
    const type = typeOf(headers["content-type"]);
    const content = operation.responses[String(status)]?.content?.[type];
    if (content === undefined) return `content type ${type} is not documented for ${status}`;
    this.seen.add(`${operation.method} ${operation.path}`);
    return type === "application/json" ? this.#jsonFault(content, body) : undefined;
  }

  #errorFault(operation: Operation, { status, headers, body }: Answer, isElsewhere: boolean): string | undefined {
    if (typeOf(headers["content-type"]) !== "application/json") return `an error as ${headers["content-type"]}`;
    const [documented] = this.#contract.operations.flatMap(
      ({ responses }) => responses["500"]?.content?.["application/json"] ?? [],
    );
    const fault = this.#jsonFault(documented ?? {}, body);
    if (fault !== undefined) return fault;
    const { error } = JSON.parse(body.toString()) as { error: { code: string } };
    if ((status === 429 || status === 503) && headers["retry-after"] === undefined) return "no Retry-After";
    if (status === 405 && headers.allow === undefined) return "no Allow";
    const codes = operation.responses[String(status)]?.content?.["application/json"]?.examples ?? {};
    if (error.code in codes) this.seen.add(error.code);
    else if (!isElsewhere) return `${status} ${error.code} is not documented`;
    return undefined;
  }

  #jsonFault({ schema }: Content, body: Buffer): string | undefined {
    let value: unknown;
    try {
      value = JSON.parse(body.toString());
    } catch {
      return `no JSON: ${body.toString().slice(0, 100)}`;
    }
    return schema && this.#contract.fault(schema, value);
  }
}

function isExpected(operation: Operation, expected: Case["expected"], status: number): boolean {
  if (expected === "success") return status === 200;
  if (expected === "refused") return status >= 400 && status < 500 && String(status) in operation.responses;
  if (expected === "documented") return status !== 500 && String(status) in operation.responses;
  return expected.includes(status);
}

function typeOf(header: string | undefined): string {
  return header?.split(";", 1)[0] ?? "none";
}

function startOf({ body }: Answer): string {
  return body.toString().slice(0, 200);
}
