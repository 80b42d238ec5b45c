// Home: the ways to begin, the machines that run with their screens, those used last, and what the host has left.
import { Button } from "@blueprintjs/core";
import { PlayIcon, PlusIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { useListThumbnail, useMachines } from "../../api/queries.ts";
import { openDialog } from "../../app/navigation.ts";
import { useHost } from "../../app/use-host.ts";
import { OsGlyph } from "../../ui/os-glyph.tsx";
import { StateBadge } from "../../ui/state-badge.tsx";
import { isLive } from "../machines/rules.ts";
import { startOrShow } from "../machines/run-command.ts";
import { useStarter } from "../new-machine/use-starter.ts";
import { HostMeters } from "./host-meters.tsx";
import "./home.css";

const OTHERS_SHOWN = 8;

function Picture({ machine }: { readonly machine: MachineSummary }) {
  const url = useListThumbnail(machine.id).data;
  return url ? <img src={url} alt="" /> : <OsGlyph osType={machine.osType} size={48} />;
}

function Card({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const live = isLive(machine.state);
  return (
    <li>
      <button
        type="button"
        className="home-card"
        title={t(live ? "command.show" : "command.start")}
        onClick={() => startOrShow(machine)}
      >
        <span className="home-picture">
          <Picture machine={machine} />
        </span>
        <span className="home-name">{machine.name}</span>
        <StateBadge state={machine.state} />
      </button>
    </li>
  );
}

export function HomeTool() {
  const { t } = useTranslation();
  const host = useHost();
  const starter = useStarter();
  const machines = useMachines().data ?? [];
  const running = machines.filter(({ state }) => isLive(state));
  const others = machines.filter(({ state }) => !isLive(state)).sort((a, b) => b.createdAtMs - a.createdAtMs);
  const available = host?.starterAvailable ?? false;
  return (
    <div className="tool-page">
      <div className="tool-head">
        <h1>{t("app.tagline")}</h1>
      </div>
      <div className="home-actions">
        <Button
          intent="primary"
          size="large"
          icon={<PlayIcon />}
          text={t("welcome.starter")}
          disabled={!available || starter.creating}
          onClick={() => void starter.createAndStart()}
        />
        <Button
          size="large"
          icon={<PlusIcon />}
          text={t("welcome.custom")}
          onClick={() => openDialog({ kind: "new-machine" })}
        />
      </div>
      {!available && <p className="muted">{t("welcome.noStarter")}</p>}
      <HostMeters />
      {running.length > 0 && (
        <section aria-label={t("home.running")}>
          <h2>{t("home.running")}</h2>
          <ul className="home-cards">
            {running.map((machine) => (
              <Card key={machine.id} machine={machine} />
            ))}
          </ul>
        </section>
      )}
      {others.length > 0 && (
        <section aria-label={t("home.others")}>
          <h2>{t("home.others")}</h2>
          <ul className="home-cards">
            {others.slice(0, OTHERS_SHOWN).map((machine) => (
              <Card key={machine.id} machine={machine} />
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}
