// Encryption of a machine: what can be done with it depends on whether it is encrypted and whether this session has its key.
import { InputGroup, Radio, RadioGroup } from "@blueprintjs/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { client } from "../../api/index.ts";
import { useMachine } from "../../api/queries.ts";
import { FormDialog } from "../../app/form-dialog.tsx";
import { Field } from "../../forms/field.tsx";
import { startMachine } from "../machines/start.ts";
import { notify } from "../notifications/model.ts";

type Act = "encrypt" | "unlock" | "change" | "lock" | "decrypt";

/** What is offered where; the first one is chosen. */
const ACTS = { none: ["encrypt"], locked: ["unlock"], unlocked: ["change", "lock", "decrypt"] } as const;
const OLD_PASSPHRASE: ReadonlySet<Act> = new Set(["unlock", "change", "decrypt"]);
const NEW_PASSPHRASE: ReadonlySet<Act> = new Set(["encrypt", "change"]);

interface Props {
  readonly machineId: string;
  /** Whether the machine was to be started, which its passphrase is wanted for. */
  readonly start: boolean;
  onClose(): void;
}

interface Passphrases {
  readonly passphrase: string;
  readonly newPassphrase: string;
  readonly again: string;
}

const NOTHING_TYPED: Passphrases = { passphrase: "", newPassphrase: "", again: "" };

function perform(act: Act, id: string, { passphrase, newPassphrase }: Passphrases): Promise<unknown> {
  switch (act) {
    case "encrypt":
      return client.machines.encrypt({ id, passphrase: newPassphrase });
    case "unlock":
      return client.machines.unlock({ id, passphrase });
    case "change":
      return client.machines.changePassphrase({ id, passphrase, newPassphrase });
    case "lock":
      return client.machines.lock({ id });
    case "decrypt":
      return client.machines.decrypt({ id, passphrase });
  }
}

export default function EncryptionDialog({ machineId, start, onClose }: Props) {
  const { t } = useTranslation();
  const machine = useMachine(machineId).data;
  const [chosen, setChosen] = useState<Act | null>(null);
  const [typed, setTyped] = useState(NOTHING_TYPED);
  if (!machine) return null;
  const { name } = machine;
  const acts: readonly Act[] = ACTS[machine.encryption];
  const act = acts.find((each) => each === chosen) ?? acts[0] ?? "unlock";
  const wantsOld = OLD_PASSPHRASE.has(act);
  const wantsNew = NEW_PASSPHRASE.has(act);
  const isDifferent = wantsNew && typed.again !== "" && typed.again !== typed.newPassphrase;
  const isComplete =
    (!wantsOld || typed.passphrase !== "") &&
    (!wantsNew || (typed.newPassphrase !== "" && typed.again === typed.newPassphrase));

  const run = async () => {
    try {
      await perform(act, machineId, typed);
    } catch (error) {
      setTyped(NOTHING_TYPED);
      throw error;
    }
    if (act !== "unlock") notify({ kind: "success", title: t(`encryption.done.${act}`, { name }) });
    if (start) await startMachine({ id: machineId, name });
  };

  const secret = (key: keyof Passphrases, error?: string) => (
    <Field
      label={t(`encryption.${key}`)}
      error={error}
      {...(key === "newPassphrase" && { help: t("encryption.newPassphraseHelp") })}
    >
      {(control) => (
        <InputGroup
          {...control}
          type="password"
          autoFocus={key === (wantsOld ? "passphrase" : "newPassphrase")}
          autoComplete={key === "passphrase" ? "current-password" : "new-password"}
          value={typed[key]}
          onChange={(event) => setTyped({ ...typed, [key]: event.target.value })}
        />
      )}
    </Field>
  );

  return (
    <FormDialog
      title={t("encryption.title", { name })}
      action={t(start ? "command.start" : `encryption.act.${act}`)}
      intent={act === "decrypt" ? "danger" : "primary"}
      complete={isComplete}
      run={run}
      onClose={onClose}
    >
      <p>{t(`encryption.state.${machine.encryption}`)}</p>
      {acts.length > 1 && (
        <RadioGroup
          label={t("encryption.what")}
          selectedValue={act}
          onChange={(event) => setChosen(event.currentTarget.value as Act)}
        >
          {acts.map((each) => (
            <Radio key={each} value={each} label={t(`encryption.act.${each}`)} />
          ))}
        </RadioGroup>
      )}
      {wantsOld && secret("passphrase")}
      {wantsNew && secret("newPassphrase")}
      {wantsNew && secret("again", isDifferent ? t("encryption.different") : undefined)}
    </FormDialog>
  );
}
