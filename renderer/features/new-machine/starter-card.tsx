// Starter Linux in one click, above everything that has to be filled in.
import { Button } from "@blueprintjs/core";
import { PlayIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import icon from "../../../resources/icons/terrarium.svg";
import { useHost } from "../../app/use-host.ts";
import { useStarter } from "./use-starter.ts";

export function StarterCard({ onClose }: { onClose(): void }) {
  const { t } = useTranslation();
  const host = useHost();
  const starter = useStarter();
  const available = host?.starterAvailable ?? false;
  return (
    <section className="starter-card" aria-label={t("create.starter")}>
      <img src={icon} alt="" width={40} height={40} />
      <div className="starter-card-text">
        <h3>{t("create.starter")}</h3>
        <p className="muted">{available ? t("create.starterBody") : t("welcome.noStarter")}</p>
      </div>
      <Button
        intent="primary"
        icon={<PlayIcon />}
        text={t("create.starterAction")}
        disabled={!available || starter.creating}
        onClick={() => void starter.createAndStart().then((created) => created && onClose())}
      />
    </section>
  );
}
