// The contract's implementation: one line per command. Everything with substance is in services/.
import { implement } from "@orpc/server";
import { AppError } from "../../native-core/common/errors.ts";
import { contract } from "../contract/index.ts";
import type { App } from "../services/app.ts";
import { backUp, listBackups, restoreBackup, verifyBackups } from "../services/backup/backup.ts";
import { exportMachine, importMachine } from "../services/backup/machine-file.ts";
import { deleteBackups } from "../services/backup/prune.ts";
import { cloneMachine } from "../services/clones/clone.ts";
import { forkMachine } from "../services/clones/fork.ts";
import { setTemplate } from "../services/clones/template.ts";
import { listDisks } from "../services/disks/disk-list.ts";
import { catalogueView, deleteDownload, downloadRelease, listDownloads } from "../services/downloads/downloads.ts";
import { browse } from "../services/host/file-browser.ts";
import { hostInfo } from "../services/host/host-info.ts";
import { changePreferences, readPreferences } from "../services/host/preferences.ts";
import { deleteTrashed, emptyTrash, listTrash, restoreTrashed } from "../services/host/trash.ts";
import { dropMemory } from "../services/integrity/drop-memory.ts";
import { verifyMachine } from "../services/integrity/verify.ts";
import { configure } from "../services/machines/configuration.ts";
import { createCustom, createStarter } from "../services/machines/creation.ts";
import { machineDetails } from "../services/machines/details.ts";
import { addDisk, attachDisk, removeDisk } from "../services/machines/disks.ts";
import {
  changePassphrase,
  decryptMachine,
  diskSecretOf,
  encryptMachine,
  lockMachine,
  unlockMachine,
} from "../services/machines/encryption.ts";
import { moveToGroup, renameGroup } from "../services/machines/groups.ts";
import { vmOf } from "../services/machines/lifecycle.ts";
import type { Machine } from "../services/machines/machine.ts";
import { removeMachine, undoRemove } from "../services/machines/removal.ts";
import { resizeDisk } from "../services/machines/resize-disk.ts";
import { screenshot } from "../services/machines/screen.ts";
import { sendText, waitForOutput } from "../services/machines/serial.ts";
import { convertImage } from "../services/media/convert.ts";
import { changeDisc } from "../services/media/discs.ts";
import { describeMedium } from "../services/media/guess.ts";
import { handStaged, stageFile } from "../services/media/handed.ts";
import { capture, listNetworks, networkStatus } from "../services/network/networks.ts";
import { searchConsoles } from "../services/search/console-search.ts";
import { listSharedFolder, readSharedFile } from "../services/shared-folders/shared-folders.ts";
import { startMachine } from "../services/snapshots/automatic.ts";
import { updateSnapshot } from "../services/snapshots/delete.ts";
import { diffSnapshots } from "../services/snapshots/diff.ts";
import { handToGuest, listSnapshotFolder, readSnapshotFile } from "../services/snapshots/files.ts";
import { previewDelete } from "../services/snapshots/preview.ts";
import { pruneSnapshots } from "../services/snapshots/prune.ts";
import { restoreSnapshot } from "../services/snapshots/restore.ts";
import { takeSnapshot } from "../services/snapshots/take.ts";
import { trashDisk, trashSnapshot } from "../services/snapshots/trash.ts";
import { snapshotTree, snapshotView, thumbnail } from "../services/snapshots/tree.ts";
import { visibleSnapshots } from "../services/snapshots/visible.ts";
import { reclaimSpace, spaceOf } from "../services/space/space.ts";
import { reportFailures } from "./failure-middleware.ts";

export type AppRouter = ReturnType<typeof createRouter>;

export function createRouter(app: App) {
  const { context, lifecycle } = app;
  const { registry, tasks, events } = context;
  const os = implement(contract).use(reportFailures);
  const details = (machine: Machine) => machineDetails(context, machine);

  return os.router({
    host: {
      info: os.host.info.handler(() => hostInfo(context, app.notices)),
      shutdown: os.host.shutdown.handler(({ input }) => shutdown(app, input.stopMachines)),
    },
    events: {
      // Subscribed when the call is answered, so that what a client fetches afterwards is never older than its first event.
      subscribe: os.events.subscribe.handler(({ signal }) => events.subscribe(signal)),
    },
    machines: {
      list: os.machines.list.handler(() => registry.list().map((machine) => machine.summary())),
      get: os.machines.get.handler(({ input }) => details(registry.get(input.id))),
      createStarter: os.machines.createStarter.handler(async ({ input }) =>
        details(await createStarter(context, input)),
      ),
      create: os.machines.create.handler(async ({ input }) => details(await createCustom(context, input))),
      configure: os.machines.configure.handler(async ({ input }) => {
        const machine = registry.get(input.id);
        const safetySnapshotId = await configure(context, machine, input.config, input.revision);
        return { ...(await details(machine)), safetySnapshotId };
      }),
      addDisk: os.machines.addDisk.handler(async ({ input }) => {
        const machine = registry.get(input.id);
        await addDisk(context, machine, input.disk, input.bus);
        return details(machine);
      }),
      removeDisk: os.machines.removeDisk.handler(async ({ input }) => {
        const file = await removeDisk(registry.get(input.id), input.diskId, input.force);
        return { removed: file !== null, file };
      }),
      attachDisk: os.machines.attachDisk.handler(async ({ input }) => {
        const machine = registry.get(input.id);
        await attachDisk(context, machine, input.file);
        return details(machine);
      }),
      clone: os.machines.clone.handler(async ({ input }) => {
        const source = registry.get(input.id);
        const snapshot = input.snapshotId === null ? null : snapshotOf(source, input.snapshotId);
        return Promise.all((await cloneMachine(context, source, { ...input, snapshot })).map(details));
      }),
      fork: os.machines.fork.handler(async ({ input }) => {
        const copies = await forkMachine(context, lifecycle, registry.get(input.id), input);
        return Promise.all(copies.map(details));
      }),
      setTemplate: os.machines.setTemplate.handler(async ({ input }) => {
        const machine = registry.get(input.id);
        await setTemplate(machine, input.template);
        return details(machine);
      }),
      resizeDisk: os.machines.resizeDisk.handler(async ({ input }) => {
        const machine = registry.get(input.id);
        const safetySnapshotId = await resizeDisk(context, machine, input.diskId, input.sizeMiB);
        return { ...(await details(machine)), safetySnapshotId };
      }),
      space: os.machines.space.handler(({ input }) => spaceOf(context, registry.get(input.id), input.deeply)),
      reclaim: os.machines.reclaim.handler(({ input }) => reclaimSpace(context, registry.get(input.id))),
      export: os.machines.export.handler(async ({ input }) => ({
        sizeBytes: await exportMachine(context, registry.get(input.id), input.file, input.memory),
      })),
      import: os.machines.import.handler(async ({ input }) =>
        details(await importMachine(context, input.file, input.name)),
      ),
      verify: os.machines.verify.handler(({ input }) => verifyMachine(context, registry.get(input.id), input)),
      remove: os.machines.remove.handler(async ({ input }) => {
        await removeMachine(context, registry.get(input.id), input.permanently);
        return {};
      }),
      undoRemove: os.machines.undoRemove.handler(async ({ input }) => details(await undoRemove(context, input.id))),
      start: os.machines.start.handler(async ({ input }) => ({
        safetySnapshotId: await startMachine(context, lifecycle, registry.get(input.id), {
          bootMenu: input.bootMenu === true,
        }),
      })),
      pause: os.machines.pause.handler(async ({ input }) => {
        await lifecycle.pause(registry.get(input.id));
        return {};
      }),
      resume: os.machines.resume.handler(async ({ input }) => {
        await lifecycle.resume(registry.get(input.id));
        return {};
      }),
      reset: os.machines.reset.handler(async ({ input }) => {
        await lifecycle.reset(registry.get(input.id));
        return {};
      }),
      encrypt: os.machines.encrypt.handler(async ({ input }) => {
        await encryptMachine(context, registry.get(input.id), input.passphrase);
        return {};
      }),
      decrypt: os.machines.decrypt.handler(async ({ input }) => {
        await decryptMachine(context, registry.get(input.id), input.passphrase);
        return {};
      }),
      unlock: os.machines.unlock.handler(async ({ input }) => {
        await unlockMachine(context, registry.get(input.id), input.passphrase);
        return {};
      }),
      lock: os.machines.lock.handler(async ({ input }) => {
        await lockMachine(context, registry.get(input.id));
        return {};
      }),
      changePassphrase: os.machines.changePassphrase.handler(async ({ input }) => {
        await changePassphrase(registry.get(input.id), input.passphrase, input.newPassphrase);
        return {};
      }),
      diskSecret: os.machines.diskSecret.handler(async ({ input }) => ({
        secret: await diskSecretOf(registry.get(input.id), input.passphrase),
      })),
      stop: os.machines.stop.handler(async ({ input }) => {
        await lifecycle.stop(registry.get(input.id), input.how);
        return {};
      }),
      discardSavedState: os.machines.discardSavedState.handler(async ({ input }) => {
        await lifecycle.discardSavedState(registry.get(input.id));
        return {};
      }),
      screenshot: os.machines.screenshot.handler(({ input }) => screenshot(registry.get(input.id), input.thumbnail)),
      sendText: os.machines.sendText.handler(async ({ input }) => {
        await sendText(registry.get(input.id), input.port, input.text);
        return {};
      }),
      waitForOutput: os.machines.waitForOutput.handler(({ input, signal }) =>
        waitForOutput(registry.get(input.id), input, signal),
      ),
      searchConsoles: os.machines.searchConsoles.handler(({ input, signal }) =>
        searchConsoles(registry.list(), input, signal),
      ),
      profile: os.machines.profile.handler(({ input }) =>
        vmOf(registry.get(input.id)).client.request("profile", { seconds: input.seconds }),
      ),
      metricsHistory: os.machines.metricsHistory.handler(({ input }) =>
        app.metrics.recorder.history(registry.get(input.id).id, input.spanS, Date.now()),
      ),
      moveToGroup: os.machines.moveToGroup.handler(async ({ input }) => {
        await moveToGroup(context, input.ids, input.group);
        return {};
      }),
      renameGroup: os.machines.renameGroup.handler(async ({ input }) => {
        await renameGroup(context, input.from, input.to);
        return {};
      }),
      log: os.machines.log.handler(({ input }) => registry.get(input.id).log.read(input.limit)),
    },
    snapshots: {
      tree: os.snapshots.tree.handler(({ input }) => snapshotTree(registry.get(input.id))),
      take: os.snapshots.take.handler(async ({ input }) => {
        const machine = registry.get(input.id);
        return snapshotView(machine, await takeSnapshot(context, machine, input));
      }),
      restore: os.snapshots.restore.handler(async ({ input }) => {
        const { machine, snapshot } = registry.ofSnapshot(input.snapshotId);
        return { keptSnapshotId: await restoreSnapshot(context, lifecycle, machine, snapshot, input) };
      }),
      delete: os.snapshots.delete.handler(async ({ input }) => {
        const { machine, snapshot } = registry.ofSnapshot(input.snapshotId);
        return { undo: await trashSnapshot(context, machine, snapshot, input.permanently) };
      }),
      update: os.snapshots.update.handler(async ({ input }) => {
        const { machine, snapshot } = registry.ofSnapshot(input.snapshotId);
        return snapshotView(machine, await updateSnapshot(machine, snapshot, input));
      }),
      dropMemory: os.snapshots.dropMemory.handler(async ({ input }) => {
        const { machine, snapshot } = registry.ofSnapshot(input.snapshotId);
        return snapshotView(machine, await dropMemory(context, machine, snapshot));
      }),
      diff: os.snapshots.diff.handler(({ input }) => {
        const { machine, snapshot } = registry.ofSnapshot(input.snapshotId);
        const to = input.toSnapshotId === null ? null : snapshotOf(machine, input.toSnapshotId);
        return diffSnapshots(context, machine, snapshot, to);
      }),
      readFile: os.snapshots.readFile.handler(({ input }) => {
        const { machine, snapshot } = registry.ofSnapshot(input.snapshotId);
        return readSnapshotFile(context, machine, snapshot, input, input.offset);
      }),
      listFolder: os.snapshots.listFolder.handler(({ input }) => {
        const { machine, snapshot } = registry.ofSnapshot(input.snapshotId);
        return listSnapshotFolder(context, machine, snapshot, input);
      }),
      handToGuest: os.snapshots.handToGuest.handler(({ input }) => {
        const { machine, snapshot } = registry.ofSnapshot(input.snapshotId);
        return handToGuest(context, machine, snapshot, input);
      }),
      previewDelete: os.snapshots.previewDelete.handler(({ input }) => {
        const { machine, snapshot } = registry.ofSnapshot(input.snapshotId);
        return previewDelete(context, machine, snapshot);
      }),
      prune: os.snapshots.prune.handler(({ input }) => pruneSnapshots(context, registry.get(input.id), input.dryRun)),
      thumbnail: os.snapshots.thumbnail.handler(({ input }) => {
        const { machine, snapshot } = registry.ofSnapshot(input.snapshotId);
        return thumbnail(machine, snapshot);
      }),
    },
    sharedFolders: {
      listFolder: os.sharedFolders.listFolder.handler(({ input }) =>
        listSharedFolder(registry.get(input.id), input.name, input.path),
      ),
      readFile: os.sharedFolders.readFile.handler(({ input }) =>
        readSharedFile(registry.get(input.id), input.name, input.path, input.offset),
      ),
    },
    media: {
      changeDisc: os.media.changeDisc.handler(async ({ input }) => ({
        changed: await changeDisc(context, registry.get(input.id), { ...input, driveId: input.driveId }),
      })),
      stageFile: os.media.stageFile.handler(({ input }) =>
        stageFile(registry.get(input.id), input.upload, input.name, Buffer.from(input.base64, "base64")),
      ),
      handFiles: os.media.handFiles.handler(({ input }) => handStaged(context, registry.get(input.id), input.upload)),
      convert: os.media.convert.handler(({ input }) => convertImage(context, input.source, input.target)),
      describe: os.media.describe.handler(({ input }) => describeMedium(input.file)),
    },
    catalogue: {
      list: os.catalogue.list.handler(() => catalogueView(context)),
      download: os.catalogue.download.handler(async ({ input }) => ({
        file: await downloadRelease(context, input.releaseId, { newest: input.newest }),
      })),
      downloads: os.catalogue.downloads.handler(() => listDownloads(context)),
      deleteDownload: os.catalogue.deleteDownload.handler(async ({ input }) => ({
        freedBytes: await deleteDownload(context, input.name),
      })),
    },
    preferences: {
      get: os.preferences.get.handler(() => readPreferences(context)),
      change: os.preferences.change.handler(async ({ input }) => {
        await changePreferences(context, input.changes);
        return {};
      }),
    },
    tasks: {
      list: os.tasks.list.handler(() => tasks.list()),
      cancel: os.tasks.cancel.handler(({ input }) => {
        tasks.cancel(input.taskId);
        return {};
      }),
    },
    disks: {
      list: os.disks.list.handler(() => listDisks(context)),
      delete: os.disks.delete.handler(async ({ input }) => ({
        undo: await trashDisk(context, registry.get(input.id), input.file, input.permanently),
      })),
    },
    networks: {
      list: os.networks.list.handler(() => listNetworks(context)),
      status: os.networks.status.handler(({ input }) => networkStatus(registry.get(input.id))),
      capture: os.networks.capture.handler(async ({ input }) => ({
        file: await capture(registry.get(input.id), input),
      })),
    },
    backups: {
      create: os.backups.create.handler(({ input }) => backUp(context, registry.get(input.id), input)),
      list: os.backups.list.handler(({ input }) => listBackups(input.folder)),
      restore: os.backups.restore.handler(async ({ input }) =>
        details(await restoreBackup(context, input.folder, input.backupId, input.name)),
      ),
      delete: os.backups.delete.handler(async ({ input }) => ({
        freedBytes: await deleteBackups(input.folder, [input.backupId]),
      })),
      verify: os.backups.verify.handler(({ input }) => verifyBackups(context, input.folder)),
    },
    trash: {
      list: os.trash.list.handler(() => listTrash(context)),
      restore: os.trash.restore.handler(async ({ input }) => details(await restoreTrashed(context, input.name))),
      delete: os.trash.delete.handler(async ({ input }) => ({ freedBytes: await deleteTrashed(context, input.name) })),
      empty: os.trash.empty.handler(async () => ({ freedBytes: await emptyTrash(context) })),
    },
    files: { browse: os.files.browse.handler(({ input }) => browse(input.folder)) },
  });
}

function snapshotOf(machine: Machine, snapshotId: string) {
  const snapshot = visibleSnapshots(machine.record).find((each) => each.id === snapshotId);
  if (snapshot) return snapshot;
  throw new AppError("NOT_FOUND", `"${machine.name}" has no snapshot ${snapshotId}`, { field: "snapshotId" });
}

async function shutdown(app: App, mode: "refuse" | "save" | "power-off"): Promise<Record<string, never>> {
  const running = app.running();
  if (mode === "refuse" && running.length > 0) {
    throw new AppError("INVALID_STATE", `${running.map((machine) => `"${machine.name}"`).join(", ")} still running`, {
      field: "stopMachines",
      consequence: "The host goes on.",
      remedy: "Say how to stop them: save or power-off.",
    });
  }
  app.requestShutdown(mode === "power-off" ? "power-off" : "save");
  return {};
}
