import { defineConfig } from "vitest/config";

const EXCLUDED = ["**/node_modules/**", "out/**"];
const INTERFACE = "tests/e2e/**/*.test.ts";

export default defineConfig({
  test: {
    // The first test of a file that needs the interpreter generates it: a second, or ten on a busy host.
    testTimeout: 20_000,
    projects: [
      { extends: true, test: { name: "parts", include: ["tests/**/*.test.ts"], exclude: [...EXCLUDED, INTERFACE] } },
      {
        extends: true,
        test: {
          name: "interface",
          include: [INTERFACE],
          exclude: EXCLUDED,
          globalSetup: "tests/e2e/support/renderer-build.ts",
        },
      },
    ],
  },
});
