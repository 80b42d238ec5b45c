import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

const EXCLUDED = ["**/node_modules/**", "out/**"];
const INTERFACE = "tests/e2e/**/*.test.ts";

export default defineConfig({
  test: {
    // The first test of a file that needs the interpreter generates it: a second, or ten on a busy host.
    testTimeout: 20_000,
    projects: [
      {
        extends: true,
        test: {
          name: "parts",
          include: ["tests/**/*.test.ts"],
          exclude: [...EXCLUDED, INTERFACE],
          // Vitest leaves a processor to itself, which is half of a machine with two.
          maxWorkers: Math.max(2, availableParallelism() - 1),
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: "interface",
          include: [INTERFACE],
          exclude: EXCLUDED,
          globalSetup: "tests/e2e/support/renderer-build.ts",
          // A browser, a host and its machines keep two processors busy, and people's patience is measured.
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
