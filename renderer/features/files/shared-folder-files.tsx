// Files of a folder that the machine shares with its guest: the host's own, as they are now.
import { NonIdealState, Spinner } from "@blueprintjs/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { failureSentence, toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { notifyFailure } from "../notifications/model.ts";
import { FileTable } from "./file-table.tsx";
import { savePieces } from "./save-pieces.ts";

interface Props {
  readonly machineId: string;
  /** Of the shared folder. */
  readonly name: string;
}

/** The guest, or anybody else, may change it meanwhile. */
const REFRESH_MS = 3000;

export function SharedFolderFiles({ machineId, name }: Props) {
  const { t } = useTranslation();
  const [folder, setFolder] = useState("/");
  const { data, error, isFetching } = useQuery({
    queryKey: keys.sharedFolder(machineId, name, folder),
    queryFn: () => client.sharedFolders.listFolder({ id: machineId, name, path: folder }),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
    retry: false,
  });
  if (error) return <NonIdealState icon="error" title={failureSentence(toFailure(error))} />;
  if (!data) return <Spinner size={24} />;
  const save = (path: string) =>
    savePieces(path, (offset) => client.sharedFolders.readFile({ id: machineId, name, path, offset })).catch(
      (failure: unknown) => notifyFailure(t("failure.generic"), toFailure(failure)),
    );
  return (
    <FileTable
      folder={folder}
      entries={data.entries}
      isFetching={isFetching && !data}
      onFolder={setFolder}
      onSave={({ path }) => void save(path)}
    />
  );
}
