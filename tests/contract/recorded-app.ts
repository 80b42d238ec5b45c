// An app with a client that notes which commands it is asked for: so that two files of tests can show that there is none without a test.
import { rm } from "node:fs/promises";
import { contract } from "../../main/contract/index.ts";
import type { RpcClient } from "../../main/rpc/client.ts";
import type { App } from "../../main/services/app.ts";
import { makeStarter, openTestApp, temporaryFolder } from "../support/test-app.ts";
import type { Transport } from "./transports.ts";

type Contract = typeof contract;
type Group = keyof Contract;
export type CommandName = { [G in Group]: `${G}.${keyof Contract[G] & string}` }[Group];

export const COMMANDS = Object.entries(contract).flatMap(([group, commands]) =>
  Object.keys(commands).map((name) => `${group}.${name}` as CommandName),
);

/** Called by storage-commands.test.ts, which fails for one that is not; every other one is by commands.test.ts. */
export const STORAGE_COMMANDS: readonly CommandName[] = [
  "backups.create",
  "backups.delete",
  "backups.list",
  "backups.restore",
  "backups.verify",
  "disks.list",
  "machines.changePassphrase",
  "machines.decrypt",
  "machines.diskSecret",
  "machines.encrypt",
  "machines.export",
  "machines.import",
  "machines.lock",
  "machines.unlock",
  "machines.verify",
  "media.changeDisc",
  "media.convert",
  "media.describe",
  "media.handFiles",
  "media.stageFile",
  "sharedFolders.listFolder",
  "sharedFolders.readFile",
  "snapshots.dropMemory",
];

export interface RecordedApp {
  readonly folder: string;
  readonly app: App;
  readonly client: RpcClient;
  close(): Promise<void>;
}

export async function openRecorded(connect: Transport, called: Set<CommandName>): Promise<RecordedApp> {
  const folder = await temporaryFolder();
  await makeStarter(folder);
  const app = await openTestApp(folder);
  const connected = await connect(app);
  return {
    ...{ folder, app, client: recording(connected.client, called) },
    async close() {
      await connected.close();
      await app.close("power-off");
      await rm(folder, { recursive: true });
    },
  };
}

/** The same client, noting which commands are called. */
function recording(client: RpcClient, called: Set<CommandName>): RpcClient {
  const proxy = (target: object, prefix: string): object =>
    new Proxy(target, {
      get(_, key) {
        const name = `${prefix}${String(key)}`;
        const value = (target as Record<string | symbol, unknown>)[key];
        if (prefix === "") return proxy(value as object, `${name}.`);
        called.add(name as CommandName);
        return value;
      },
    });
  return proxy(client, "") as RpcClient;
}
