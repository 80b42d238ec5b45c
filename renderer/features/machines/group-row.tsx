// One group in the list: a heading that opens and closes, with the number of its machines and of those that run.
import { ChevronDownIcon, ChevronRightIcon } from "@blueprintjs/icons";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { endRenaming } from "../../app/navigation.ts";
import { InlineEdit } from "../../ui/inline-edit.tsx";
import { renameGroup, setGroupOpen } from "./arrange.ts";
import { type GroupRow as Group, joinGroup, parentGroup } from "./list-model.ts";
import { type RowProps, rowAttributes } from "./machine-row.tsx";
import { isLive } from "./rules.ts";

export const GroupRow = memo(function GroupRow(props: RowProps<Group>) {
  const { t } = useTranslation();
  const { row, renaming } = props;
  const { name, path, open, machines } = row;
  const running = machines.filter(({ state }) => isLive(state)).length;
  const toggle = () => setGroupOpen(path, !open);
  const rename = (next: string) => {
    endRenaming();
    void renameGroup(path, joinGroup(parentGroup(path), next.replaceAll("/", " ").trim()));
  };
  return (
    // oxlint-disable-next-line jsx-a11y/interactive-supports-focus -- the list has the focus and names its active item
    <div
      {...rowAttributes(props)}
      className="group-row"
      aria-expanded={open}
      onDoubleClick={() => !renaming && toggle()}
    >
      {/* The keyboard has the arrow keys for this. */}
      <span
        className="group-chevron"
        aria-hidden="true"
        onMouseDown={(event) => event.stopPropagation()}
        onClick={toggle}
      >
        {open ? <ChevronDownIcon size={12} /> : <ChevronRightIcon size={12} />}
      </span>
      {renaming ? (
        <InlineEdit value={name} label={t("list.renameGroup", { name })} onSave={rename} onCancel={endRenaming} />
      ) : (
        <span className="group-name">{name}</span>
      )}
      <span className="group-count number">
        {running > 0 ? t("list.groupRunning", { running, count: machines.length }) : machines.length}
      </span>
    </div>
  );
});
