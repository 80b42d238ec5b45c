// The shared folders page of the settings: folders of the host, each with the name that the guest finds it by. They change at any time.
import { Button, InputGroup, Switch } from "@blueprintjs/core";
import { CrossIcon, FolderSharedIcon, PlusIcon } from "@blueprintjs/icons";
import { useState } from "react";
import { useController } from "react-hook-form";
import { useTranslation } from "react-i18next";
import {
  nameForFolder,
  SHARED_FOLDERS_MAX,
  type SharedFolderConfig,
  sharedFoldersSchema,
} from "../../../native-core/config/shared-folders.ts";
import { Field } from "../../forms/field.tsx";
import { FileField } from "../../forms/file-field.tsx";
import { FilePicker } from "../../forms/file-picker.tsx";
import { fieldText } from "../../forms/schema-fields.ts";
import { messageText } from "../../i18n/config-texts.ts";
import type { EditorProps } from "../settings/editors.ts";
import { errorMessage } from "../settings/error-message.ts";

const MOUNT_COMMAND = "mount -t 9p -o trans=virtio,msize=512000 shared /mnt";

export function SharedFoldersEditor({ control, field: declared }: EditorProps) {
  const { t } = useTranslation();
  const { field, fieldState } = useController({ control, name: "sharedFolders" });
  const [adding, setAdding] = useState(false);
  const folders: readonly SharedFolderConfig[] = field.value;
  const issues = sharedFoldersSchema.safeParse(folders).error?.issues ?? [];
  const problemOf = (index: number, key: "name" | "path"): string | undefined =>
    issues.find(({ path }) => path[0] === index && path[1] === key)?.message;
  // The host's word on a folder comes with the answer, that on the whole list at once.
  const problem = issues.find(({ path }) => path.length === 0)?.message ?? errorMessage(fieldState.error);
  const isShown = issues.some(({ path }) => path.length > 0);
  return (
    <div className="card-list" data-field={declared.path}>
      <p className="field-help">{fieldText(declared, "help")}</p>
      {problem && !isShown && (
        <p className="field-error" role="alert">
          {messageText(problem)}
        </p>
      )}
      {folders.map((folder, index) => {
        const change = (part: Partial<SharedFolderConfig>) =>
          field.onChange(folders.with(index, { ...folder, ...part }));
        return (
          // Names change as they are typed: the place in the list is what stays.
          <div className="card" key={`${index + 1}`}>
            <div className="card-head">
              <FolderSharedIcon />
              <span className="card-title">{folder.name}</span>
              <Button
                size="small"
                variant="minimal"
                icon={<CrossIcon />}
                aria-label={t("sharedFolders.remove", { name: folder.name })}
                onClick={() => field.onChange(folders.toSpliced(index, 1))}
              />
            </div>
            <Field label={t("sharedFolders.name")} error={problemOf(index, "name")}>
              {(props) => (
                <InputGroup
                  {...props}
                  spellCheck={false}
                  value={folder.name}
                  onChange={(event) => change({ name: event.target.value })}
                />
              )}
            </Field>
            <Field label={t("sharedFolders.folder")} error={problemOf(index, "path")}>
              {(props) => (
                <FileField control={props} choose="folder" value={folder.path} onChange={(path) => change({ path })} />
              )}
            </Field>
            <Field label={t("sharedFolders.readOnly")}>
              {(props) => (
                <Switch
                  {...props}
                  checked={folder.readOnly}
                  onChange={(event) => change({ readOnly: event.currentTarget.checked })}
                />
              )}
            </Field>
          </div>
        );
      })}
      {folders.length === 0 && <p className="muted">{t("sharedFolders.none")}</p>}
      <div>
        <Button
          icon={<PlusIcon />}
          text={t("sharedFolders.add")}
          disabled={folders.length >= SHARED_FOLDERS_MAX}
          onClick={() => setAdding(true)}
        />
      </div>
      {folders.length > 0 && (
        <p className="field-help">
          {t("sharedFolders.mount")} <code className="mono selectable">{MOUNT_COMMAND}</code>
        </p>
      )}
      {adding && (
        <FilePicker
          folder={null}
          choose="folder"
          onClose={() => setAdding(false)}
          onChoose={(path) => {
            setAdding(false);
            field.onChange([...folders, { name: nameForFolder(path, folders), path, readOnly: false }]);
          }}
        />
      )}
    </div>
  );
}
