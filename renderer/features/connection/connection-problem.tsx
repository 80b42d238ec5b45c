// Connections that trying again can't mend: the session is over, or window and host have different versions.
import { Button } from "@blueprintjs/core";
import { useTranslation } from "react-i18next";
import type { ConnectionState } from "../../api/connection.ts";
import "./connection.css";

type Problem = Extract<ConnectionState, { readonly kind: "denied" | "mismatch" }>;

export function ConnectionProblem({ state }: { readonly state: Problem }) {
  const { t } = useTranslation();
  return (
    <main className="connection-problem" role="alert">
      <h1>{t(`connection.${state.kind}`)}</h1>
      <p>
        {state.kind === "denied"
          ? t("connection.deniedBody")
          : t("connection.mismatchBody", { ours: state.ours, theirs: state.theirs })}
      </p>
      <Button intent="primary" text={t("connection.reload")} onClick={() => window.location.reload()} />
    </main>
  );
}
