import { expect, it } from "vitest";
import { abortConnection } from "../../../net/link/abort.ts";

it("a connection whose stream has closed already is aborted without a word: seen in a run, where it ended the process", () => {
  const aborted: string[] = [];
  const closed = {
    abort: (error: Error): void => {
      aborted.push(error.message);
      throw new Error("Cannot write to a stream that is closed");
    },
  };
  expect(() => abortConnection(closed, new Error("the peer is gone"))).not.toThrow();
  expect(aborted).toEqual(["the peer is gone"]);
});
