// A system of the catalogue: chosen, downloaded where it is not there yet, and what the machine for it would get.
import { Button, ProgressBar } from "@blueprintjs/core";
import { DownloadIcon, TickCircleIcon } from "@blueprintjs/icons";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useFormContext, useWatch } from "react-hook-form";
import { useTranslation } from "react-i18next";
import type { CatalogueView } from "../../../main/contract/catalogue.ts";
import type { Failure } from "../../../main/contract/schemas.ts";
import { toFailure } from "../../api/failure.ts";
import { client, queryClient } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { formatBytes } from "../../ui/format.ts";
import { Select } from "../../ui/select.tsx";
import { FailureText } from "../notifications/failure-text.tsx";
import { FormField } from "./form-field.tsx";
import { type NewMachineForm, releaseSuggestions } from "./schema.ts";

type System = CatalogueView[number];
type Release = System["releases"][number];

const MIB = 1024 * 1024;
const PROGRESS_MS = 500;

function useCatalogue(): CatalogueView {
  return (
    useQuery({ queryKey: keys.catalogue, queryFn: () => client.catalogue.list(), staleTime: 0 }).data ?? []
  ).filter(({ releases }) => releases.length > 0);
}

function useDownload(onDone: (releaseId: string, file: string) => void) {
  const [busy, setBusy] = useState<string | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const start = (releaseId: string) => {
    setBusy(releaseId);
    setFailure(null);
    client.catalogue
      .download({ releaseId })
      .then(({ file }) => onDone(releaseId, file))
      .catch((error: unknown) => setFailure(toFailure(error)))
      .finally(() => {
        setBusy(null);
        void queryClient.invalidateQueries({ queryKey: keys.catalogue });
      });
  };
  return { busy, failure, start };
}

/** What has arrived, of about how much. */
function Progress({ release }: { readonly release: Release }) {
  const { t } = useTranslation();
  const { data = [] } = useQuery({
    queryKey: keys.downloads,
    queryFn: () => client.catalogue.downloads(),
    refetchInterval: PROGRESS_MS,
    staleTime: 0,
  });
  const done = data.find(({ releaseId, complete }) => releaseId === release.id && !complete)?.sizeBytes ?? 0;
  const total = release.sizeMiB * MIB;
  return (
    <div className="download-progress">
      <ProgressBar value={Math.min(1, done / total)} stripes={false} animate={false} />
      <span className="muted number">
        {t("create.downloading", { done: formatBytes(done), total: formatBytes(total) })}
      </span>
    </div>
  );
}

function Status({ release }: { readonly release: Release }) {
  const { t } = useTranslation();
  const { getValues, setValue } = useFormContext<NewMachineForm>();
  const { busy, failure, start } = useDownload((releaseId, file) => {
    if (getValues("release") === releaseId) setValue("releaseFile", file, { shouldValidate: true });
  });
  if (busy === release.id) return <Progress release={release} />;
  if (release.downloaded !== null) {
    return (
      <p className="download-there">
        <TickCircleIcon /> {t("create.downloaded")}
      </p>
    );
  }
  return (
    <>
      <Button
        icon={<DownloadIcon />}
        text={t("create.download", { size: formatBytes(release.sizeMiB * MIB) })}
        onClick={() => start(release.id)}
      />
      {failure && failure.code !== "CANCELLED" && (
        <div className="form-failure" role="alert">
          <FailureText failure={failure} />
        </div>
      )}
    </>
  );
}

export function DownloadField() {
  const { t } = useTranslation();
  const { control, setValue, clearErrors, formState } = useFormContext<NewMachineForm>();
  const systems = useCatalogue();
  const chosen = useWatch({ control, name: "release" });
  const release = systems.flatMap(({ releases }) => releases).find(({ id }) => id === chosen);
  const { dirtyFields } = formState;
  const choose = (id: string) => {
    for (const system of systems) {
      const found = system.releases.find((each) => each.id === id);
      if (!found) continue;
      const suggestions = releaseSuggestions(system, found, dirtyFields);
      for (const [field, value] of Object.entries(suggestions)) setValue(field as keyof NewMachineForm, value);
      clearErrors(Object.keys(suggestions) as (keyof NewMachineForm)[]);
    }
  };
  return (
    <>
      <FormField
        name="release"
        label={t("create.release")}
        help={t("create.releaseHint")}
        render={(props, field) => (
          <Select
            {...props}
            value={field.value}
            onChange={(event) => {
              field.onChange(event.target.value);
              choose(event.target.value);
            }}
          >
            <option value="">{t("create.chooseRelease")}</option>
            {systems.map((system) => (
              <optgroup key={system.id} label={system.name}>
                {system.releases.map(({ id, name }) => (
                  <option key={id} value={id}>
                    {name}
                  </option>
                ))}
              </optgroup>
            ))}
          </Select>
        )}
      />
      {release && (
        <div className="field">
          <span />
          <div className="field-control">
            <Status key={release.id} release={release} />
          </div>
        </div>
      )}
    </>
  );
}
