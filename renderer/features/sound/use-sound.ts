// A machine is heard where its screen is shown, as loud as the user likes.
import { useEffect, useRef } from "react";
import { usePreference } from "../../app/preferences.ts";
import { SoundPlayer } from "./player.ts";

export function useSound(machineId: string, live: boolean): void {
  const player = useRef<SoundPlayer | null>(null);
  const volume = usePreference("soundVolume");
  const loudness = usePreference("soundMuted") ? 0 : volume / 100;
  const latest = useRef(loudness);
  useEffect(() => {
    latest.current = loudness;
    if (player.current) player.current.volume = loudness;
  }, [loudness]);
  useEffect(() => {
    if (!live) return;
    const made = new SoundPlayer(machineId);
    made.volume = latest.current;
    player.current = made;
    return () => {
      player.current = null;
      made.close();
    };
  }, [machineId, live]);
}
