// Why the machine is Aborted, or what its last start failed with; it stays until the next start.
import { WarningSignIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import type { Failure } from "../../../main/contract/schemas.ts";
import { FailureText } from "../notifications/failure-text.tsx";

export function FailureBox({ failure }: { readonly failure: Failure }) {
  const { t } = useTranslation();
  return (
    <section className="failure-box" aria-label={t("details.aborted")}>
      <WarningSignIcon />
      <div>
        <h3>{t("details.aborted")}</h3>
        <FailureText failure={failure} />
      </div>
    </section>
  );
}
