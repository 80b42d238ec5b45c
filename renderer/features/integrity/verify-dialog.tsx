// The check of a machine's disks and memory: what is damaged, which snapshots lose what by it, and the ways out: repair it, or give up the memory
// of a snapshot and keep its disks.
import { Button, Callout, Dialog, DialogBody, DialogFooter, Spinner } from "@blueprintjs/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { MachineProblem } from "../../../main/contract/schemas.ts";
import { toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { useMachineSummary } from "../../api/queries.ts";
import { FailureText } from "../notifications/failure-text.tsx";
import { notifyFailure } from "../notifications/model.ts";
import "./verify.css";

interface Props {
  readonly machineId: string;
  onClose(): void;
}

export default function VerifyDialog({ machineId: id, onClose }: Props) {
  const { t } = useTranslation();
  const name = useMachineSummary(id)?.name ?? "";
  const check = useQuery({
    queryKey: ["verify", id],
    queryFn: () => client.machines.verify({ id }),
    ...{ staleTime: 0, gcTime: 0, retry: false, refetchOnWindowFocus: false },
  });
  const onError = (error: unknown) => notifyFailure(t("failure.generic"), toFailure(error));
  const repair = useMutation({ mutationFn: () => client.machines.verify({ id, repair: true }), onError });
  const drop = useMutation({
    mutationFn: (snapshotId: string) => client.snapshots.dropMemory({ snapshotId }),
    onSuccess: async () => {
      repair.reset();
      await check.refetch();
    },
    onError,
  });
  const isBusy = check.isFetching || repair.isPending || drop.isPending;
  const found = repair.data ?? check.data;
  const left = found?.problems.filter((problem) => !problem.repaired) ?? [];
  return (
    <Dialog isOpen title={t("verify.title", { name })} onClose={onClose} className="verify">
      <DialogBody>
        <div role="status">
          {isBusy && (
            <p className="verify-busy">
              <Spinner size={16} />
              {t(repair.isPending ? "verify.repairing" : "verify.busy")}
            </p>
          )}
          {!isBusy && found && found.problems.length === 0 && <p>{t("verify.whole", { count: found.checkedFiles })}</p>}
          {!isBusy && found && found.skipped.length > 0 && (
            <p className="muted">{t("verify.skipped", { count: found.skipped.length })}</p>
          )}
        </div>
        {check.error && !isBusy && <FailureText failure={toFailure(check.error)} />}
        {!isBusy && found && found.problems.length > 0 && (
          <ul className="verify-list" aria-label={t("verify.problems")}>
            {found.problems.map((problem) => (
              <Problem key={`${problem.file} ${problem.message}`} problem={problem} onDrop={drop.mutate} />
            ))}
          </ul>
        )}
      </DialogBody>
      <DialogFooter
        actions={
          <>
            {left.length > 0 && (
              <Button intent="primary" text={t("verify.repair")} disabled={isBusy} onClick={() => repair.mutate()} />
            )}
            <Button text={t("common.close")} onClick={onClose} />
          </>
        }
      />
    </Dialog>
  );
}

interface ProblemProps {
  readonly problem: MachineProblem;
  onDrop(snapshotId: string): void;
}

function Problem({ problem, onDrop }: ProblemProps) {
  const { t } = useTranslation();
  const { file, message, remark, part, snapshots, present, repaired } = problem;
  const failure = { code: "INVALID_FILE" as const, message, file, ...(remark !== null && { consequence: remark }) };
  return (
    <li>
      <Callout intent={repaired ? "success" : "warning"} {...(repaired && { title: t("verify.repaired") })} compact>
        <FailureText failure={failure} />
        {present && <p>{t("verify.hitsPresent")}</p>}
        {snapshots.length > 0 && (
          <p>{t("verify.hitsSnapshots", { names: snapshots.map(({ name }) => name).join(", ") })}</p>
        )}
        {!present && snapshots.length === 0 && <p>{t("verify.hitsNothing")}</p>}
        {!repaired &&
          part === "memory" &&
          snapshots.map(({ id, name }) => (
            <Button
              key={id}
              size="small"
              text={t("verify.dropMemory", { name })}
              title={t("verify.dropMemoryHint")}
              onClick={() => onDrop(id)}
            />
          ))}
      </Callout>
    </li>
  );
}
