import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    exclude: ["**/node_modules/**", "out/**"],
    // The first test of a file that needs the interpreter generates it: a second, or ten on a busy host.
    testTimeout: 20_000,
  },
});
