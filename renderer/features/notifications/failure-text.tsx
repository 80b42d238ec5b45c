// A failure as the user reads it: cause, what it is about, what it means, what to do.
import { useTranslation } from "react-i18next";
import type { Failure } from "../../../main/contract/schemas.ts";
import { translatedFailure } from "../../i18n/failure-texts.ts";

export function FailureText({ failure: said }: { readonly failure: Failure }) {
  const { t, i18n } = useTranslation();
  const failure = translatedFailure(said);
  const isForeign = i18n.language !== "en" && failure.message === said.message;
  return (
    <div className="failure selectable">
      {isForeign && <p className="failure-code">{t(`failure.codes.${said.code}`)}</p>}
      <p lang={isForeign ? "en" : undefined}>{failure.message}</p>
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
