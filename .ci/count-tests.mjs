// Prints "PASSED FAILED SKIPPED" from vitest's JSON report: node .ci/count-tests.mjs REPORT EXIT_STATUS

import { readFileSync } from "node:fs";

const [reportFile, exitStatus] = process.argv.slice(2);
const count = { passed: 0, failed: 0, skipped: 0 };

for (const file of JSON.parse(readFileSync(reportFile, "utf8")).testResults) {
  const before = count.failed;
  for (const { status } of file.assertionResults) {
    if (status === "passed") count.passed += 1;
    else if (status === "failed") count.failed += 1;
    else count.skipped += 1;
  }
  if (file.status === "failed" && count.failed === before) count.failed += 1;
}
if (exitStatus !== "0" && count.failed === 0) count.failed = 1;
if (count.passed + count.failed + count.skipped === 0) count.failed = 1;
console.log(count.passed, count.failed, count.skipped);
