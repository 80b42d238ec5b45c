// Goes where the address says, now and whenever it changes. Links come from other programs, so that what would act only asks.
import { toFailure } from "../api/failure.ts";
import { offerFile } from "../features/media/offer-file.ts";
import { notifyFailure } from "../features/notifications/model.ts";
import { i18n } from "../i18n/index.ts";
import { openDialog, selectMachine } from "./navigation.ts";
import { preferencesLoaded } from "./preferences-sync.ts";
import { type Place, placeInRoute } from "./route.ts";

async function go(place: Place): Promise<void> {
  switch (place.kind) {
    case "machine":
      selectMachine(place.machineId);
      if (place.start) openDialog({ kind: "start-asked", machineId: place.machineId });
      return;
    case "file":
      return offerFile(place.file);
    case "dialog":
      return openDialog({ kind: place.dialog });
  }
}

function follow(): void {
  const place = placeInRoute(window.location.hash);
  // Where the user was the last time comes with the preferences, and must not come after this.
  if (place === null || !preferencesLoaded.get()) return;
  // The same link works again, and loading the page again does not.
  window.history.replaceState(null, "", window.location.pathname + window.location.search);
  go(place).catch((error: unknown) => notifyFailure(i18n.t("failure.generic"), toFailure(error)));
}

export function followRoute(): void {
  preferencesLoaded.subscribe(follow);
  window.addEventListener("hashchange", follow);
}
