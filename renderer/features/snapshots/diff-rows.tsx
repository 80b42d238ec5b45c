// The changed files of one file system as a tree of rows that open and close; removed and changed files can be saved as they were.
import { Button } from "@blueprintjs/core";
import { ChevronDownIcon, ChevronRightIcon, DownloadIcon } from "@blueprintjs/icons";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { FileChange } from "../../../main/contract/schemas.ts";
import { formatBytes } from "../../ui/format.ts";
import type { DiffNode } from "./diff-tree.ts";

const SIGNS = { added: "+", changed: "~", removed: "−" } as const;
/** Small trees are open at once. */
const OPEN_UP_TO = 200;

interface Props {
  readonly nodes: readonly DiffNode[];
  /** Number of changes shown, or what the filter left. */
  readonly total: number;
  onTake(change: FileChange): void;
}

export function DiffRows({ nodes, total, onTake }: Props) {
  return (
    <ul className="diff-files">
      {nodes.map((node) => (
        <Row key={node.path} node={node} openFirst={total <= OPEN_UP_TO} onTake={onTake} />
      ))}
    </ul>
  );
}

interface RowProps {
  readonly node: DiffNode;
  readonly openFirst: boolean;
  onTake(change: FileChange): void;
}

function Row({ node, openFirst, onTake }: RowProps) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(openFirst);
  const { name, path, change, children, counts } = node;
  const kind = change?.change;
  return (
    <li>
      <div className={`diff-row ${kind ? `diff-${kind}` : ""}`}>
        {children.length > 0 ? (
          <button
            type="button"
            className="diff-toggle"
            aria-expanded={open}
            aria-label={t("snapshots.diffFolder", { path })}
            onClick={() => setOpen(!open)}
          >
            {open ? <ChevronDownIcon size={14} /> : <ChevronRightIcon size={14} />}
          </button>
        ) : (
          <span className="diff-toggle" />
        )}
        {kind && (
          <span className="diff-sign" role="img" aria-label={t(`snapshots.fileChange.${kind}`)}>
            {SIGNS[kind]}
          </span>
        )}
        <span className="diff-path mono selectable" title={path}>
          {name}
          {children.length > 0 && "/"}
        </span>
        {children.length > 0 && (
          <span className="muted number">
            {(["added", "changed", "removed"] as const).map(
              (each) => counts[each] > 0 && ` ${SIGNS[each]}${counts[each]}`,
            )}
          </span>
        )}
        {change && children.length === 0 && (
          <span className="muted number">{formatBytes(change.sizeAfter ?? change.sizeBefore ?? 0)}</span>
        )}
        {change && change.change !== "added" && change.kind === "file" && (
          <Button
            variant="minimal"
            size="small"
            icon={<DownloadIcon />}
            aria-label={t("snapshots.takeFile", { path })}
            title={t("snapshots.takeFileHint")}
            onClick={() => onTake(change)}
          />
        )}
      </div>
      {open && children.length > 0 && (
        <ul className="diff-files diff-inner">
          {children.map((child) => (
            <Row key={child.path} node={child} openFirst={openFirst} onTake={onTake} />
          ))}
        </ul>
      )}
    </li>
  );
}
