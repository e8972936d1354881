import { expect, test } from "vitest";
import { Closing } from "../../../src/node/http/closing.ts";

test("whoever waits is told when the server closes, and nothing is kept of those who are done", async () => {
  const closing = new Closing();
  for (let i = 0; i < 100; i++) expect(await closing.orClosing(Promise.resolve(i))).toBe(i);
  await expect(closing.orClosing(Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(closing.waiting).toBe(0);
  const never = closing.orClosing(new Promise(() => undefined));
  expect(closing.waiting).toBe(1);
  closing.begin();
  expect(await never).toBe("closing");
  expect(await closing.orClosing(new Promise(() => undefined))).toBe("closing");
  expect(closing.waiting).toBe(0);
});
