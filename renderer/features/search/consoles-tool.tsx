// Searches what all machines ever printed on their serial consoles; each line leads to its machine's console, and to the snapshot from which
// that moment can be lived through again.
import { InputGroup, Switch } from "@blueprintjs/core";
import { SearchIcon } from "@blueprintjs/icons";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ConsoleMatch } from "../../../main/contract/search.ts";
import { failureSentence, toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { selectMachine, showPane, showSnapshot } from "../../app/navigation.ts";
import { formatLogTime } from "../../ui/format.ts";
import { partsOf } from "./match-parts.ts";
import "./consoles.css";

const TEXT_MIN = 2;

interface RowProps {
  readonly match: ConsoleMatch;
  readonly text: string;
  readonly isRegex: boolean;
}

function MatchRow({ match, text, isRegex }: RowProps) {
  const { t } = useTranslation();
  const { machineId, machineName, atMs, line, snapshot } = match;
  const openConsole = () => {
    selectMachine(machineId);
    showPane("console");
  };
  return (
    <tr>
      <td>
        <button
          type="button"
          className="setting-link"
          title={t("consoles.open", { name: machineName })}
          onClick={openConsole}
        >
          {machineName}
        </button>
      </td>
      <td className="number muted">{atMs !== null && formatLogTime(atMs)}</td>
      <td className="console-line mono selectable">
        {partsOf(line, text, isRegex).map(({ at, part, found }) => (found ? <mark key={at}>{part}</mark> : part))}
      </td>
      <td>
        {snapshot && (
          <button
            type="button"
            className="setting-link"
            title={t("consoles.jump", { name: snapshot.name, time: formatLogTime(snapshot.takenAtMs) })}
            onClick={() => showSnapshot(machineId, snapshot.id)}
          >
            {snapshot.name}
          </button>
        )}
      </td>
    </tr>
  );
}

export default function ConsolesTool() {
  const { t } = useTranslation();
  const [typed, setTyped] = useState("");
  const [isRegex, setRegex] = useState(false);
  const text = useDeferredValue(typed.trim());
  const { data, error } = useQuery({
    queryKey: keys.consoleSearch(text, isRegex),
    queryFn: ({ signal }) => client.machines.searchConsoles({ text, isRegex }, { signal }),
    enabled: text.length >= TEXT_MIN,
    placeholderData: keepPreviousData,
    staleTime: 0,
    retry: false,
  });
  const found = text.length >= TEXT_MIN ? data : undefined;
  return (
    <div className="tool-page">
      <div className="tool-head">
        <h1>{t("tool.consoles")}</h1>
      </div>
      <div className="consoles-bar">
        <InputGroup
          type="search"
          fill
          leftElement={<SearchIcon />}
          placeholder={t("consoles.find")}
          aria-label={t("consoles.find")}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <Switch
          label={t("consoles.regex")}
          checked={isRegex}
          onChange={(event) => setRegex(event.currentTarget.checked)}
        />
      </div>
      <p className="muted" role="status">
        {error
          ? failureSentence(toFailure(error))
          : found === undefined
            ? t("consoles.hint")
            : found.length === 0
              ? t("consoles.none")
              : t("consoles.count", { count: found.length })}
      </p>
      {found && found.length > 0 && (
        <table className="data-table" aria-label={t("consoles.lines")}>
          <thead>
            <tr>
              {(["machine", "time", "line", "snapshot"] as const).map((column) => (
                <th key={column} scope="col">
                  {t(`consoles.columns.${column}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {found.map((match, index) => (
              // Lines may repeat, and their order is theirs for good.
              // oxlint-disable-next-line react/no-array-index-key -- see above
              <MatchRow key={index} match={match} text={text} isRegex={isRegex} />
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
