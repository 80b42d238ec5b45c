// A failure as the user reads it: cause, what it is about, what it means, what to do.
import { useTranslation } from "react-i18next";
import type { Failure } from "../../../main/contract/schemas.ts";

export function FailureText({ failure }: { readonly failure: Failure }) {
  const { t } = useTranslation();
  return (
    <div className="failure selectable">
      <p>{failure.message}</p>
      <dl>
        {failure.file && (
          <>
            <dt>{t("failure.file")}</dt>
            <dd className="mono">{failure.file}</dd>
          </>
        )}
        {failure.field && (
          <>
            <dt>{t("failure.field")}</dt>
            <dd className="mono">{failure.field}</dd>
          </>
        )}
        {failure.consequence && (
          <>
            <dt>{t("failure.consequence")}</dt>
            <dd>{failure.consequence}</dd>
          </>
        )}
        {failure.remedy && (
          <>
            <dt>{t("failure.remedy")}</dt>
            <dd>{failure.remedy}</dd>
          </>
        )}
      </dl>
    </div>
  );
}
