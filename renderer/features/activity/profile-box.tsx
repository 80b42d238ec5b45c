// Where the processor's time goes, live: tiers, ways back to the interpreter, the hottest places. The machine is asked for as long as the box
// is open and watched; kernel functions get names from a System.map of the user's.
import { Button, Switch } from "@blueprintjs/core";
import { DocumentOpenIcon } from "@blueprintjs/icons";
import { useQuery } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { type ProfileFigures, profileFigures } from "../../../native-core/protocol/profile-figures.ts";
import { SystemMap } from "../../../native-core/protocol/system-map.ts";
import { failureSentence, toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { Row } from "../../ui/box.tsx";
import { formatBytes } from "../../ui/format.ts";
import { Meter } from "../../ui/meter.tsx";
import "./profile.css";

/** Each answer covers this time; the next question follows at once. */
const WATCH_S = 1;
const AFTER_FAILURE_MS = 5000;
const TOP = 12;
/** Outcomes of compiled code that have a text of their own. */
const REASONS = ["linked", "indirect", "checked", "state", "resume", "fault"] as const;

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

function ExitTable({ exits }: Pick<ProfileFigures, "exits">) {
  const { t } = useTranslation();
  return (
    <table className="data-table profile-table" aria-label={t("activity.profile.exits")}>
      <thead>
        <tr>
          <th scope="col">{t("activity.profile.exits")}</th>
          <th scope="col" className="number">
            {t("activity.profile.perMillion")}
          </th>
        </tr>
      </thead>
      <tbody>
        {exits.map(({ reason, perMillion }) => {
          const known = REASONS.find((name) => name === reason);
          return (
            <tr key={reason}>
              <th scope="row">{known ? t(`activity.profile.reasons.${known}`) : reason}</th>
              <td className="number">{Math.round(perMillion)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function PlaceTable({ places }: Pick<ProfileFigures, "places">) {
  const { t } = useTranslation();
  return (
    <table className="data-table profile-table" aria-label={t("activity.profile.places")}>
      <thead>
        <tr>
          <th scope="col">{t("activity.profile.places")}</th>
          <th scope="col" className="number">
            {t("activity.profile.share")}
          </th>
        </tr>
      </thead>
      <tbody>
        {places.slice(0, TOP).map(({ place, user, share }) => (
          <tr key={`${place} ${user}`}>
            <th scope="row">
              <code>{place}</code> {user && <span className="muted">{t("activity.profile.user")}</span>}
            </th>
            <td className="number">
              <span className="cell-line">
                <Meter value={share} />
                {percent(share)}
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function ProfileBox({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const [watched, setWatched] = useState(false);
  const [symbols, setSymbols] = useState<SystemMap>();
  const chooser = useRef<HTMLInputElement>(null);
  const runs = machine.state === "running";
  const { data: profile, error } = useQuery({
    queryKey: keys.profile(machine.id),
    queryFn: () => client.machines.profile({ id: machine.id, seconds: WATCH_S }),
    enabled: watched && runs,
    refetchInterval: ({ state }) => (state.error ? AFTER_FAILURE_MS : 1),
    staleTime: 0,
    retry: false,
  });
  const figures = watched && profile && profileFigures(profile, symbols);
  const choose = async (file: File | undefined) => {
    if (file) setSymbols(new SystemMap(await file.text()));
  };
  return (
    <section className="profile" aria-label={t("activity.profile.title")}>
      <div className="profile-head">
        <h3>{t("activity.profile.title")}</h3>
        <Switch
          checked={watched}
          label={t("activity.profile.watch")}
          onChange={({ currentTarget }) => setWatched(currentTarget.checked)}
        />
        <span className="pane-bar-space" />
        <input
          ref={chooser}
          hidden
          type="file"
          aria-label={t("activity.profile.symbols")}
          onChange={({ currentTarget }) => void choose(currentTarget.files?.[0])}
        />
        <Button
          size="small"
          variant="minimal"
          icon={<DocumentOpenIcon />}
          text={t(symbols ? "activity.profile.otherSymbols" : "activity.profile.symbols")}
          onClick={() => chooser.current?.click()}
        />
      </div>
      {!watched && <p className="muted">{t("activity.profile.help")}</p>}
      {watched && !runs && <p className="muted">{t("activity.profile.notRunning")}</p>}
      {watched && error && <p role="alert">{failureSentence(toFailure(error))}</p>}
      {figures && runs && (
        <>
          <dl className="profile-figures">
            <Row label={t("activity.instructions")}>{t("details.mipsValue", { value: Math.round(figures.mips) })}</Row>
            <Row label={t("activity.cpu")}>{percent(figures.cpuShare)}</Row>
            <Row label={t("activity.profile.compiled")}>
              <span className="cell-line">
                <Meter value={figures.compiledShare} />
                {percent(figures.compiledShare)}
              </span>
            </Row>
            <Row label={t("activity.profile.interpreted")}>
              <span className="cell-line">
                <Meter value={1 - figures.compiledShare} />
                {percent(1 - figures.compiledShare)}
              </span>
            </Row>
            <Row label={t("activity.profile.walks")}>{Math.round(figures.walksPerMillion)}</Row>
            <Row label={t("activity.profile.made")}>
              {t("activity.profile.madeValue", {
                regions: profile.compiled.regions,
                size: formatBytes(profile.compiled.wasmBytes),
                ms: Math.round(profile.compiled.compileMs),
              })}
            </Row>
          </dl>
          <div className="profile-tables">
            <PlaceTable places={figures.places} />
            <ExitTable exits={figures.exits} />
          </div>
        </>
      )}
    </section>
  );
}
