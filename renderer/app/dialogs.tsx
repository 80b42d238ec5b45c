// The one dialog that may be open. The palette is there at once, because people type into it as it opens.
import { lazy, Suspense } from "react";
import CommandPalette from "../features/palette/command-palette.tsx";
import { ErrorBoundary } from "../ui/error-boundary.tsx";
import { closeDialog, useDialog } from "./navigation.ts";

const NewMachineDialog = lazy(() => import("../features/new-machine/new-machine-dialog.tsx"));
const SettingsDialog = lazy(() => import("../features/settings/settings-dialog.tsx"));
const CloneDialog = lazy(() => import("../features/clone/clone-dialog.tsx"));
const EncryptionDialog = lazy(() => import("../features/encryption/encryption-dialog.tsx"));
const ExportDialog = lazy(() => import("../features/backup/export-dialog.tsx"));
const VerifyDialog = lazy(() => import("../features/integrity/verify-dialog.tsx"));
const ImportDialog = lazy(() => import("../features/backup/import-dialog.tsx"));
const HandFilesDialog = lazy(() => import("../features/media/hand-files-dialog.tsx"));
const ConvertDialog = lazy(() => import("../features/media/convert-dialog.tsx"));
const StartAskedDialog = lazy(() => import("../features/machines/start-asked-dialog.tsx"));
const GrowDialog = lazy(() => import("../features/backup/grow-dialog.tsx"));
const TrashDialog = lazy(() => import("../features/trash/trash-dialog.tsx"));
const CloseDialog = lazy(() => import("../features/machine-window/close-dialog.tsx"));
const PreferencesDialog = lazy(() => import("../features/preferences/preferences-dialog.tsx"));
const AboutDialog = lazy(() => import("../features/about/about-dialog.tsx"));

function OpenDialog() {
  const dialog = useDialog();
  switch (dialog?.kind) {
    case "new-machine":
      return <NewMachineDialog start={dialog.start} onClose={closeDialog} />;
    case "settings":
      return <SettingsDialog machineId={dialog.machineId} focusField={dialog.field} onClose={closeDialog} />;
    case "clone":
      return <CloneDialog machineId={dialog.machineId} snapshotId={dialog.snapshotId} onClose={closeDialog} />;
    case "encryption":
      return <EncryptionDialog machineId={dialog.machineId} start={dialog.start === true} onClose={closeDialog} />;
    case "export":
      return <ExportDialog machineId={dialog.machineId} onClose={closeDialog} />;
    case "verify":
      return <VerifyDialog machineId={dialog.machineId} onClose={closeDialog} />;
    case "import":
      return <ImportDialog file={dialog.file} onClose={closeDialog} />;
    case "convert":
      return <ConvertDialog onClose={closeDialog} />;
    case "hand-files":
      return <HandFilesDialog machineId={dialog.machineId} files={dialog.files} onClose={closeDialog} />;
    case "start-asked":
      return <StartAskedDialog machineId={dialog.machineId} onClose={closeDialog} />;
    case "grow":
      return <GrowDialog machineId={dialog.machineId} diskId={dialog.diskId} onClose={closeDialog} />;
    case "trash":
      return <TrashDialog onClose={closeDialog} />;
    case "close":
      return <CloseDialog machineId={dialog.machineId} onClose={closeDialog} />;
    case "preferences":
      return <PreferencesDialog onClose={closeDialog} />;
    case "about":
      return <AboutDialog onClose={closeDialog} />;
    case "palette":
      return <CommandPalette onClose={closeDialog} />;
    default:
      return null;
  }
}

export function Dialogs() {
  return (
    <ErrorBoundary>
      <Suspense fallback={null}>
        <OpenDialog />
      </Suspense>
    </ErrorBoundary>
  );
}
