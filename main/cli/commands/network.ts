// terrarium network list | show | add | remove | attach | cable | forward | rule | default | reach | limit | capture | leases
import { randomBytes } from "node:crypto";
import path from "node:path";
import type { Command } from "commander";
import { AppError } from "../../../native-core/common/errors.ts";
import { ADAPTER_MODELS, type AdapterConfig, defaultAdapter } from "../../../native-core/config/network-settings.ts";
import { changeConfig } from "../../contract/change-config.ts";
import type { RegisterCommand, Run } from "../command.ts";
import { bytes, table } from "../format.ts";
import {
  formatAttachment,
  formatForward,
  formatRule,
  parseAttachment,
  parseForward,
  parseRule,
} from "../network-syntax.ts";
import { parseCount } from "../parse.ts";
import type { Session } from "../session.ts";

interface AdapterOption {
  readonly adapter?: string;
}

/** The adapter that is meant: the one named, or the only one. */
function pickAdapter(adapters: readonly AdapterConfig[], { adapter }: AdapterOption): AdapterConfig {
  const found = adapter === undefined ? adapters[0] : adapters.find(({ id }) => id === adapter);
  if (found && (adapter !== undefined || adapters.length === 1)) return found;
  const known = adapters.map(({ id }) => id).join(", ");
  throw new AppError("NOT_FOUND", adapter === undefined ? "Say which adapter" : `There is no adapter ${adapter}`, {
    field: "adapter",
    consequence: "Nothing was changed.",
    remedy: known === "" ? "This machine has none." : `--adapter: ${known}.`,
  });
}

/** Changes one adapter, whatever the machine is doing. */
async function change(
  session: Session,
  name: string,
  options: AdapterOption,
  edit: (adapter: AdapterConfig) => AdapterConfig,
): Promise<void> {
  let edited: AdapterConfig | undefined;
  await changeAdapters(session, name, (adapters) => {
    const chosen = pickAdapter(adapters, options);
    const now = edit(chosen);
    edited = now;
    return adapters.map((adapter) => (adapter === chosen ? now : adapter));
  });
  session.print(edited, "");
}

/** `edit` is called again when somebody else changes the machine at the same time. */
async function changeAdapters(
  session: Session,
  name: string,
  edit: (adapters: readonly AdapterConfig[]) => AdapterConfig[],
): Promise<void> {
  const client = await session.client();
  const { id } = await session.machine(name);
  await changeConfig(client, id, (config) => ({ ...config, adapters: edit(config.adapters) }));
}

export const registerNetwork: RegisterCommand = (program, run) => {
  const network = program.command("network").description("networks, port forwards, firewall rules, captures");
  registerViews(network, run);
  registerChanges(network, run);
  registerLists(network, run);
};

function registerViews(network: Command, run: Run): void {
  network
    .command("list")
    .description("show all networks with the adapters in them")
    .action(
      run(async (session) => {
        const networks = await (await session.client()).networks.list();
        const rows = networks.flatMap(({ kind, name, members, leases }) =>
          members.map(({ machineName, adapterId, mac, isUp }) => [
            name === "" ? kind : `${kind}:${name}`,
            machineName,
            adapterId,
            mac,
            leases.find((lease) => lease.mac === mac.toLowerCase())?.address ?? "",
            isUp ? "up" : "down",
          ]),
        );
        session.print(networks, rows.length === 0 ? "" : table([HEADINGS, ...rows]));
      }),
    );
  network
    .command("show <machine>")
    .description("show a machine's adapters: networks, traffic, forwards, rules, captures")
    .action(
      run(async (session, name: string) => {
        const client = await session.client();
        const { id } = await session.machine(name);
        const { config } = await client.machines.get({ id });
        const status = await client.networks.status({ id });
        const answer = config.adapters.map((adapter) => ({
          ...adapter,
          status: status.find((each) => each.id === adapter.id) ?? null,
        }));
        session.print(answer, answer.map(describe).join("\n\n"));
      }),
    );
  network
    .command("leases")
    .description("show the addresses given out")
    .action(
      run(async (session) => {
        const networks = await (await session.client()).networks.list();
        const leases = networks.flatMap(({ kind, name, leases: own }) =>
          own.map((lease) => ({ network: name === "" ? kind : `${kind}:${name}`, ...lease })),
        );
        const rows = leases.map((lease) => [lease.network, lease.address, lease.mac, lease.hostName]);
        session.print(leases, rows.length === 0 ? "" : table([["NETWORK", "ADDRESS", "MAC", "NAME"], ...rows]));
      }),
    );
}

const HEADINGS = ["NETWORK", "MACHINE", "ADAPTER", "MAC", "ADDRESS", "LINK"];

type Described = AdapterConfig & {
  readonly status: {
    readonly counters: { receivedBytes: number; sentBytes: number; deniedFrames: number };
    readonly leases: readonly { address: string }[];
    readonly capture: { file: string; bytes: number } | null;
    readonly problems: readonly string[];
  } | null;
};

function describe(adapter: Described): string {
  const { id, mac, connected, firewall, status, forwards, reach, sendLimitKbit, receiveLimitKbit } = adapter;
  const rows = [
    [id, `${formatAttachment(adapter)}, ${adapter.model}, ${mac}, cable ${connected ? "in" : "out"}`],
    ...(status
      ? [["traffic", `${bytes(status.counters.receivedBytes)} in, ${bytes(status.counters.sentBytes)} out`]]
      : []),
    ...(status?.leases ?? []).map(({ address }) => ["address", address]),
    ...forwards.map((forward) => ["forward", formatForward(forward)]),
    ...reach.map((grant) => ["reach", grant]),
    ...(adapter.bootFolder === "" ? [] : [["boot", `${adapter.bootFile} from ${adapter.bootFolder}`]]),
    ["default", `out ${firewall.defaultOut}, in ${firewall.defaultIn}`],
    ...firewall.rules.map((rule, index) => [`rule ${index + 1}`, formatRule(rule)]),
    ...(status && status.counters.deniedFrames > 0 ? [["denied", `${status.counters.deniedFrames} frames`]] : []),
    ...(sendLimitKbit === null ? [] : [["limit out", `${sendLimitKbit} kbit/s`]]),
    ...(receiveLimitKbit === null ? [] : [["limit in", `${receiveLimitKbit} kbit/s`]]),
    ...(status?.capture ? [["capture", `${bytes(status.capture.bytes)}  ${status.capture.file}`]] : []),
    ...(status?.problems ?? []).map((problem) => ["problem", problem]),
  ];
  return table(rows);
}

const ADAPTER_OPTION = ["--adapter <id>", "which adapter, such as nic0; needed when there are several"] as const;

function registerChanges(network: Command, run: Run): void {
  network
    .command("add <machine>")
    .description("give a machine another adapter, on the NAT; also while it runs")
    .option(
      "--model <model>",
      "virtio; e1000 for systems without its driver; rtl8139 for those of before 2002",
      "virtio",
    )
    .action(
      run(async (session, name: string, options: { model: string }) => {
        let added: AdapterConfig | undefined;
        await changeAdapters(session, name, (adapters) => {
          added = { ...freeAdapter(adapters), model: oneOf(options.model, ADAPTER_MODELS) };
          return [...adapters, added];
        });
        session.print(added, added?.id ?? "");
      }),
    );
  network
    .command("remove <machine> <adapter>")
    .description("take an adapter out of a machine; also while it runs")
    .action(
      run(async (session, name: string, adapter: string) => {
        await changeAdapters(session, name, (adapters) => {
          const removed = pickAdapter(adapters, { adapter });
          return adapters.filter((each) => each !== removed);
        });
        session.print({}, "");
      }),
    );
  network
    .command("attach <machine> <network>")
    .description("plug the cable into nat, none, internal:NAME or host-only:NAME")
    .option(...ADAPTER_OPTION)
    .action(
      run((session, machine: string, text: string, options: AdapterOption) =>
        change(session, machine, options, (adapter) => ({ ...adapter, ...parseAttachment(text) })),
      ),
    );
  network
    .command("cable <machine> <on|off>")
    .description("plug the cable in, or pull it")
    .option(...ADAPTER_OPTION)
    .action(
      run((session, machine: string, state: string, options: AdapterOption) =>
        change(session, machine, options, (adapter) => ({
          ...adapter,
          connected: oneOf(state, ["on", "off"]) === "on",
        })),
      ),
    );
  network
    .command("default <machine> <in|out> <allow|deny>")
    .description("what the firewall does where no rule fits")
    .option(...ADAPTER_OPTION)
    .action(
      run((session, machine: string, direction: string, action: string, options: AdapterOption) =>
        change(session, machine, options, (adapter) => {
          const key = oneOf(direction, ["in", "out"]) === "in" ? "defaultIn" : "defaultOut";
          return { ...adapter, firewall: { ...adapter.firewall, [key]: oneOf(action, ["allow", "deny"]) } };
        }),
      ),
    );
  network
    .command("limit <machine> <in|out> <kbit|none>")
    .description("limit the bandwidth, in kbit/s")
    .option(...ADAPTER_OPTION)
    .action(
      run((session, machine: string, direction: string, rate: string, options: AdapterOption) =>
        change(session, machine, options, (adapter) => {
          const key = oneOf(direction, ["in", "out"]) === "in" ? "receiveLimitKbit" : "sendLimitKbit";
          return { ...adapter, [key]: rate === "none" ? null : parseCount(rate, "limit") };
        }),
      ),
    );
  network
    .command("boot <machine> <folder> [file]")
    .description("let a machine on the NAT read a folder by TFTP and boot a file of it; `none` takes it back")
    .option(...ADAPTER_OPTION)
    .action(
      run((session, machine: string, folder: string, file: string | undefined, options: AdapterOption) =>
        change(session, machine, options, (adapter) => ({
          ...adapter,
          bootFolder: folder === "none" ? "" : path.resolve(folder),
          bootFile: folder === "none" ? "" : (file ?? ""),
        })),
      ),
    );
  network
    .command("capture <machine> <on|off>")
    .description("write packets into a pcapng file, in the machine's folder unless --file names one")
    .option(...ADAPTER_OPTION)
    .option("--file <file>", "a file that does not exist yet")
    .action(
      run(async (session, machine: string, state: string, options: AdapterOption & { file?: string }) => {
        const client = await session.client();
        const { id } = await session.machine(machine);
        const { config } = await client.machines.get({ id });
        const answer = await client.networks.capture({
          id,
          adapterId: pickAdapter(config.adapters, options).id,
          on: oneOf(state, ["on", "off"]) === "on",
          ...(options.file !== undefined && { file: path.resolve(options.file) }),
        });
        session.print(answer, answer.file ?? "");
      }),
    );
}

function registerLists(network: Command, run: Run): void {
  const forward = network.command("forward").description("ports of this host that lead into a machine");
  forward
    .command("add <machine> <forward>")
    .description("such as 8080:80 or udp:0.0.0.0:5353:53 (PROTOCOL:ADDRESS:HOSTPORT:GUESTPORT)")
    .option(...ADAPTER_OPTION)
    .action(
      run((session, machine: string, text: string, options: AdapterOption) =>
        change(session, machine, options, (adapter) => ({
          ...adapter,
          forwards: [...adapter.forwards, parseForward(text)],
        })),
      ),
    );
  forward
    .command("remove <machine> <port>")
    .description("end the forwards of a port of this host")
    .option(...ADAPTER_OPTION)
    .action(
      run((session, machine: string, port: string, options: AdapterOption) =>
        change(session, machine, options, (adapter) => {
          const rest = adapter.forwards.filter(({ hostPort }) => hostPort !== parseCount(port, "port"));
          if (rest.length === adapter.forwards.length) throw notThere(`port ${port} is not forwarded`);
          return { ...adapter, forwards: rest };
        }),
      ),
    );

  const rule = network.command("rule").description("firewall rules; the first that fits decides");
  rule
    .command("add <machine> <rule...>")
    .description("such as: deny out tcp 192.0.2.0/24 port 25")
    .option(...ADAPTER_OPTION)
    .option("--first", "before all others instead of behind them")
    .action(
      run((session, machine: string, words: string[], options: AdapterOption & { first?: true }) =>
        change(session, machine, options, (adapter) => {
          const { rules } = adapter.firewall;
          const added = parseRule(words);
          return {
            ...adapter,
            firewall: { ...adapter.firewall, rules: options.first ? [added, ...rules] : [...rules, added] },
          };
        }),
      ),
    );
  rule
    .command("remove <machine> <number>")
    .description("remove a rule by its number in `network show`")
    .option(...ADAPTER_OPTION)
    .action(
      run((session, machine: string, number: string, options: AdapterOption) =>
        change(session, machine, options, (adapter) => {
          const index = parseCount(number, "rule") - 1;
          const { rules } = adapter.firewall;
          if (rules[index] === undefined) throw notThere(`there is no rule ${number}`);
          return { ...adapter, firewall: { ...adapter.firewall, rules: rules.toSpliced(index, 1) } };
        }),
      ),
    );

  const reach = network.command("reach").description("what a machine may reach beside public addresses");
  reach
    .command("add <machine> <target>")
    .description("host, host:PORT, or an address or range of the local network, with or without :PORT")
    .option(...ADAPTER_OPTION)
    .action(
      run((session, machine: string, target: string, options: AdapterOption) =>
        change(session, machine, options, (adapter) => ({ ...adapter, reach: [...adapter.reach, target] })),
      ),
    );
  reach
    .command("remove <machine> <target>")
    .description("take it back; open connections stay")
    .option(...ADAPTER_OPTION)
    .action(
      run((session, machine: string, target: string, options: AdapterOption) =>
        change(session, machine, options, (adapter) => {
          if (!adapter.reach.includes(target)) throw notThere(`${target} was not allowed`);
          return { ...adapter, reach: adapter.reach.filter((each) => each !== target) };
        }),
      ),
    );
}

/** The first id that is free, with an address of its own. */
function freeAdapter(adapters: readonly AdapterConfig[]): AdapterConfig {
  let number = 0;
  while (adapters.some(({ id }) => id === `nic${number}`)) number++;
  return defaultAdapter(
    `nic${number}`,
    `52:54:00:${randomBytes(3)
      .toString("hex")
      .replace(/(..)(?=.)/g, "$1:")}`,
  );
}

function oneOf<T extends string>(text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw new AppError("INVALID_ARGUMENT", `It is neither ${choices.join(" nor ")}: ${text}`, {
    consequence: "Nothing was changed.",
  });
}

function notThere(message: string): AppError {
  return new AppError("NOT_FOUND", message, { consequence: "Nothing was changed." });
}
