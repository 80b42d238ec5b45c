// What the machine has otherwise than the snapshot that its present state came from: its settings, and the files on its disks.
import { Button } from "@blueprintjs/core";
import { ComparisonIcon } from "@blueprintjs/icons";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { useSnapshots } from "../../api/queries.ts";

const DiffDialog = lazy(() => import("../snapshots/diff-dialog.tsx"));

/** Nothing where there is no snapshot to compare with. */
export function CompareSettings({ machineId }: { readonly machineId: string }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const tree = useSnapshots(machineId).data;
  const snapshot = tree?.snapshots.find(({ id }) => id === tree.currentId);
  if (!tree || !snapshot) return null;
  return (
    <>
      <Button
        {...{ size: "small", variant: "minimal", icon: <ComparisonIcon /> }}
        text={t("settings.compare", { name: snapshot.name })}
        onClick={() => setOpen(true)}
      />
      {open && (
        <Suspense fallback={null}>
          <DiffDialog snapshot={snapshot} tree={tree} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  );
}
