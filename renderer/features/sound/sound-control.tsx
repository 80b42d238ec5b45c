// Mute and volume of the machines that are shown in this window.
import { Button, Slider } from "@blueprintjs/core";
import { CaretDownIcon, VolumeOffIcon, VolumeUpIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import { useStore } from "../../api/store.ts";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { DropDown } from "../../ui/drop-down.tsx";
import { IconButton } from "../../ui/icon-button.tsx";
import { soundGaps } from "./gaps.ts";

function VolumePanel() {
  const { t } = useTranslation();
  const volume = usePreference("soundVolume");
  const gaps = useStore(soundGaps);
  return (
    <div className="display-volume">
      <Slider
        min={0}
        max={100}
        stepSize={5}
        labelStepSize={50}
        labelRenderer={(value) => `${value} %`}
        value={volume}
        onChange={(value) => setPreference("soundVolume", value)}
        handleHtmlProps={{ "aria-label": t("display.volume") }}
      />
      <p className="muted number" title={t("display.soundGapsHelp")}>
        {t("display.soundGaps", { count: gaps })}
      </p>
    </div>
  );
}

export function SoundControl() {
  const { t } = useTranslation();
  const muted = usePreference("soundMuted");
  return (
    <>
      <IconButton
        icon={muted ? <VolumeOffIcon /> : <VolumeUpIcon />}
        label={t(muted ? "display.unmute" : "display.mute")}
        active={muted}
        onClick={() => setPreference("soundMuted", !muted)}
      />
      <DropDown content={<VolumePanel />} align="end">
        <Button
          variant="minimal"
          icon={<CaretDownIcon />}
          aria-label={t("display.volume")}
          title={t("display.volume")}
        />
      </DropDown>
    </>
  );
}
