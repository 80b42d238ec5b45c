// The picture of a machine in the list: its screen while it runs, small and refreshed now and then, else the symbol of its system.
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { useListThumbnail } from "../../api/queries.ts";
import { usePreference } from "../../app/preferences.ts";
import { OsGlyph } from "../../ui/os-glyph.tsx";

function Thumbnail({ machine }: { readonly machine: MachineSummary }) {
  const url = useListThumbnail(machine.id).data;
  if (!url) return <OsGlyph osType={machine.osType} />;
  return <img className="machine-thumbnail" src={url} alt="" width={44} height={28} draggable={false} />;
}

export function MachineGlyph({ machine }: { readonly machine: MachineSummary }) {
  const wanted = usePreference("listThumbnails");
  const live = machine.state === "running" || machine.state === "paused";
  return (
    <span className="machine-glyph">
      {wanted && live ? <Thumbnail machine={machine} /> : <OsGlyph osType={machine.osType} />}
    </span>
  );
}
