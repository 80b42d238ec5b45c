// Everything by name: commands of the selected machine with their shortcuts, panes, tools, other machines. Ctrl+K, type, Enter.
import { InputGroup, Overlay2 } from "@blueprintjs/core";
import { SearchIcon } from "@blueprintjs/icons";
import { type ItemListRendererProps, type ItemRendererProps, QueryList } from "@blueprintjs/select";
import { type Ref, useState } from "react";
import { useTranslation } from "react-i18next";
import { useMachines } from "../../api/queries.ts";
import { type AppCommand, allCommands } from "../../app/commands.ts";
import { selectedMachineId, selectMachine } from "../../app/navigation.ts";
import { shortcutLabel } from "../../app/shortcuts.ts";
import { i18n } from "../../i18n/index.ts";
import { matchesWords } from "./match.ts";
import "./command-palette.css";

/** So many are drawn; who has more goes on typing. */
const SHOWN_MAX = 60;

function useEntries(): AppCommand[] {
  const { t } = useTranslation();
  const machines = useMachines().data ?? [];
  const selectedId = selectedMachineId();
  const others = machines.filter(({ id }) => id !== selectedId);
  return [
    ...allCommands(),
    ...others.map(({ id, name, state }) => ({
      id,
      label: name,
      context: t(`state.${state}`),
      run: () => selectMachine(id),
    })),
  ];
}

function renderEntry({ id, label, context, shortcut }: AppCommand, props: ItemRendererProps) {
  const { active } = props.modifiers;
  return (
    // oxlint-disable-next-line jsx-a11y/interactive-supports-focus, jsx-a11y/click-events-have-key-events -- the field has the focus and names its active item
    <div
      key={id}
      ref={props.ref as Ref<HTMLDivElement>}
      id={props.id}
      role="option"
      aria-selected={active}
      onMouseMove={props.handleFocus}
      onClick={props.handleClick}
    >
      <span>{label}</span>
      <span className="palette-context">{context}</span>
      {shortcut && <kbd className="palette-shortcut">{shortcutLabel(shortcut)}</kbd>}
    </div>
  );
}

function renderList({ items, itemsParentRef, renderItem, menuProps }: ItemListRendererProps<AppCommand>) {
  return (
    <div
      ref={itemsParentRef as Ref<HTMLDivElement>}
      id={menuProps?.id}
      role="listbox"
      aria-label={i18n.t("palette.title")}
    >
      {items.map(renderItem)}
    </div>
  );
}

export default function CommandPalette({ onClose }: { onClose(): void }) {
  const { t } = useTranslation();
  const [text, setText] = useState("");
  const found = useEntries().filter(({ label, context }) => matchesWords(`${label} ${context}`, text));
  const run = (entry: AppCommand) => {
    onClose();
    entry.run();
  };
  return (
    <Overlay2 isOpen onClose={onClose} transitionDuration={0}>
      <div className="palette" role="dialog" aria-modal="true" aria-label={t("palette.title")}>
        <QueryList<AppCommand>
          items={found.slice(0, SHOWN_MAX)}
          itemsEqual="id"
          itemRenderer={renderEntry}
          itemListRenderer={renderList}
          query={text}
          onQueryChange={setText}
          onItemSelect={run}
          resetOnQuery
          renderer={({ itemList, handleKeyDown, handleKeyUp, handleQueryChange, query, activeItemId, listId }) => (
            <div role="presentation" onKeyDown={handleKeyDown} onKeyUp={handleKeyUp}>
              <InputGroup
                autoFocus
                size="large"
                leftElement={<SearchIcon />}
                placeholder={t("palette.placeholder")}
                role="combobox"
                aria-expanded="true"
                aria-controls={listId}
                aria-activedescendant={activeItemId}
                aria-label={t("palette.placeholder")}
                value={query}
                onChange={handleQueryChange}
              />
              {itemList}
            </div>
          )}
        />
        {found.length === 0 && <p className="muted palette-empty">{t("palette.empty")}</p>}
      </div>
    </Overlay2>
  );
}
