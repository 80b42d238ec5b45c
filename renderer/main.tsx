// Entry of the renderer, the same in Electron and in a browser.
import "./styles/index.css";
import "./i18n/index.ts";
import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { z } from "zod";
import { queryClient } from "./api/index.ts";
import { App } from "./app/app.tsx";
import { followRoute } from "./app/follow-route.ts";
import { startSession } from "./app/session.ts";

// The strict Content-Security-Policy has no 'unsafe-eval'; zod must not even try to compile its parsers.
z.config({ jitless: true });

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");

followRoute();
startSession();
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
