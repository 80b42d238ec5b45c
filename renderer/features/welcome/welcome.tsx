// First run: one large button that leads to a running Linux, and the way to everything else.
import { Button } from "@blueprintjs/core";
import { PlayIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import icon from "../../../resources/icons/terrarium.svg";
import { openDialog } from "../../app/navigation.ts";
import { useHost } from "../../app/use-host.ts";
import { useStarter } from "../new-machine/use-starter.ts";
import "./welcome.css";

export function Welcome() {
  const { t } = useTranslation();
  const host = useHost();
  const starter = useStarter();
  const available = host?.starterAvailable ?? false;
  return (
    <div className="welcome">
      <img src={icon} alt="" width={96} height={96} />
      <h1>{t("app.tagline")}</h1>
      <p className="muted">{available ? t("welcome.body") : t("welcome.noStarter")}</p>
      <Button
        size="large"
        intent="primary"
        icon={<PlayIcon />}
        text={starter.creating ? t("welcome.starting") : t("welcome.starter")}
        disabled={!available || starter.creating}
        onClick={() => void starter.createAndStart()}
      />
      <Button variant="minimal" text={t("welcome.custom")} onClick={() => openDialog({ kind: "new-machine" })} />
    </div>
  );
}
