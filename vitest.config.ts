import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    // Patience costs nothing where all is well; other work on the machine must not fail a test.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
