// `npm run guests`: real guests that take minutes. What takes seconds is part of `npm test`.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["tests/guests/**/*.guest.ts"], fileParallelism: false },
});
