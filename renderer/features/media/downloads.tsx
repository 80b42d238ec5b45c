// Discs and images of the catalogue that were downloaded, whole or not: what they take, who uses them, and a way to be rid of them.
import { Button } from "@blueprintjs/core";
import { TrashIcon } from "@blueprintjs/icons";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { toFailure } from "../../api/failure.ts";
import { client, queryClient } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { i18n } from "../../i18n/index.ts";
import { formatBytes } from "../../ui/format.ts";
import { notify, notifyFailure } from "../notifications/model.ts";

const REFRESH_MS = 5000;

async function remove(name: string): Promise<void> {
  try {
    const { freedBytes } = await client.catalogue.deleteDownload({ name });
    notify({ kind: "success", title: i18n.t("trash.freed", { size: formatBytes(freedBytes) }) });
  } catch (error) {
    notifyFailure(i18n.t("failure.generic"), toFailure(error));
  }
  await queryClient.invalidateQueries({ queryKey: keys.catalogue });
}

export function Downloads({ filter }: { readonly filter: string }) {
  const { t } = useTranslation();
  const { data = [] } = useQuery({
    queryKey: keys.downloads,
    queryFn: () => client.catalogue.downloads(),
    staleTime: 0,
    refetchInterval: REFRESH_MS,
  });
  const shown = data.filter(({ name }) => name.toLocaleLowerCase().includes(filter));
  if (shown.length === 0) return null;
  return (
    <section className="media-downloads" aria-label={t("media.downloads")}>
      <h2>{t("media.downloads")}</h2>
      <table className="data-table" aria-label={t("media.downloads")}>
        <thead>
          <tr>
            {(["file", "state", "usedBy", "size"] as const).map((column) => (
              <th key={column} scope="col">
                {t(`media.downloadColumns.${column}`)}
              </th>
            ))}
            <th scope="col">{t("media.downloadColumns.commands")}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ name, file, complete, usedBy, sizeBytes }) => (
            <tr key={name}>
              <th scope="row">
                <span className="media-name" title={file}>
                  {name}
                </span>
              </th>
              <td>{t(complete ? "media.whole" : "media.partial")}</td>
              <td>{usedBy.join(", ")}</td>
              <td className="number">{formatBytes(sizeBytes)}</td>
              <td>
                <Button
                  variant="minimal"
                  size="small"
                  icon={<TrashIcon />}
                  aria-label={t("media.deleteDownload", { name })}
                  disabled={usedBy.length > 0}
                  onClick={() => void remove(name)}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
