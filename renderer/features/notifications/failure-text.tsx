// A failure as the user reads it: cause, what it is about, what it means, what to do.
import { useTranslation } from "react-i18next";
import type { Failure } from "../../../main/contract/schemas.ts";
import { settingLabel } from "../../forms/schema-fields.ts";
import { translatedFailure } from "../../i18n/failure-texts.ts";

/** As the settings call it, or its path; the parameters of a command, such as a passphrase, are no settings. */
function settingName(field: string): string | undefined {
  const label = settingLabel(field);
  return label !== field || /[.[]/.test(field) ? label : undefined;
}

export function FailureText({ failure: said }: { readonly failure: Failure }) {
  const { t, i18n } = useTranslation();
  const failure = translatedFailure(said);
  const setting = failure.field && settingName(failure.field);
  const isForeign = i18n.language !== "en" && failure.message === said.message;
  return (
    <div className="failure selectable">
      {isForeign && <p className="failure-code">{t(`failure.codes.${said.code}`)}</p>}
      <p lang={isForeign ? "en" : undefined}>{failure.message}</p>
      <dl>
        {failure.file && !failure.message.includes(failure.file) && (
          <>
            <dt>{t("failure.file")}</dt>
            <dd className="mono">{failure.file}</dd>
          </>
        )}
        {setting && (
          <>
            <dt>{t("failure.field")}</dt>
            <dd>{setting}</dd>
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
