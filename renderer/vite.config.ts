// Build of the renderer: one bundle that both shells serve (Electron from app://, the Node host over HTTP), so paths are relative.
// Run with `vite build renderer`; in development `vite renderer` proxies the data plane to a host on TERRARIUM_PORT.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const host = `http://127.0.0.1:${process.env["TERRARIUM_PORT"] ?? "7878"}`;

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  plugins: [react()],
  build: {
    outDir: "../out/renderer",
    emptyOutDir: true,
    // Both shells run a current Chromium; noVNC needs top-level await.
    target: "es2024",
    // Content-Security-Policy: no data: scripts or inline modules; small SVG files stay files.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
  },
  server: {
    proxy: {
      "/rpc": { target: host, ws: true },
      "/data": { target: host, ws: true },
    },
  },
});
