// One adapter in the settings: what it is plugged into first, everything else behind "More".
import { Button, Collapse, HTMLSelect, InputGroup, Switch, Tag } from "@blueprintjs/core";
import { ChevronDownIcon, ChevronRightIcon, CrossIcon } from "@blueprintjs/icons";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ADAPTER_MODELS, type AdapterConfig, NETWORK_KINDS } from "../../../native-core/config/network-settings.ts";
import { Field } from "../../forms/field.tsx";
import { ForwardRows } from "./forward-rows.tsx";
import { RuleRows } from "./rule-rows.tsx";

interface Props {
  readonly adapter: AdapterConfig;
  /** It can't be taken out now. */
  readonly isFixed: boolean;
  /** Its model and address may be others. */
  readonly isExchangeable: boolean;
  onChange(adapter: AdapterConfig): void;
  onRemove(): void;
}

const lines = (text: string): string[] => text.split(/[\s,]+/).filter((line) => line !== "");
const limit = (text: string): number | null => (text.trim() === "" ? null : Math.round(Number(text)));

export function AdapterCard({ adapter, isFixed, isExchangeable, onChange, onRemove }: Props) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const change = (part: Partial<AdapterConfig>) => onChange({ ...adapter, ...part });
  const isNamed = adapter.network === "internal" || adapter.network === "host-only";
  const hasHost = adapter.network === "nat" || adapter.network === "host-only";
  return (
    <div className="card">
      <div className="card-head">
        <Tag minimal>{adapter.id}</Tag>
        <HTMLSelect
          aria-label={t("network.pluggedInto", { adapter: adapter.id })}
          value={adapter.network}
          options={NETWORK_KINDS.map((value) => ({ value, label: t(`network.kinds.${value}`) }))}
          onChange={(event) => {
            const network = NETWORK_KINDS.find((kind) => kind === event.target.value) ?? "nat";
            const needsName = (network === "internal" || network === "host-only") && adapter.networkName === "";
            change({ network, ...(needsName && { networkName: network === "internal" ? "intnet" : "hostonly" }) });
          }}
        />
        {isNamed && (
          <InputGroup
            aria-label={t("network.name")}
            value={adapter.networkName}
            onValueChange={(networkName) => change({ networkName })}
          />
        )}
        <span className="card-title" />
        <Switch
          label={t("network.cable")}
          checked={adapter.connected}
          onChange={(event) => change({ connected: event.currentTarget.checked })}
        />
        <Button
          size="small"
          variant="minimal"
          icon={<CrossIcon />}
          aria-label={t("network.removeAdapter", { adapter: adapter.id })}
          disabled={isFixed}
          onClick={onRemove}
        />
      </div>
      <p className="field-help">{t(`network.kindHelp.${adapter.network}`)}</p>
      <Button
        size="small"
        variant="minimal"
        icon={open ? <ChevronDownIcon /> : <ChevronRightIcon />}
        text={t("network.more")}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      />
      <Collapse isOpen={open}>
        <Field label={t("network.model")}>
          {(props) => (
            <HTMLSelect
              {...props}
              value={adapter.model}
              disabled={!isExchangeable}
              options={ADAPTER_MODELS.map((value) => ({ value, label: t(`network.models.${value}`) }))}
              onChange={(event) =>
                change({ model: ADAPTER_MODELS.find((model) => model === event.target.value) ?? "virtio" })
              }
            />
          )}
        </Field>
        <Field label={t("network.mac")}>
          {(props) => (
            <InputGroup
              {...props}
              value={adapter.mac}
              disabled={!isExchangeable}
              spellCheck={false}
              onValueChange={(mac) => change({ mac })}
            />
          )}
        </Field>
        {hasHost && (
          <>
            <Field label={t("network.reach")} help={t("network.reachHelp")}>
              {(props) => (
                <InputGroup
                  {...props}
                  defaultValue={adapter.reach.join(", ")}
                  placeholder="host:8080, 192.168.1.0/24"
                  spellCheck={false}
                  onBlur={(event) => change({ reach: lines(event.target.value) })}
                />
              )}
            </Field>
            <ForwardRows forwards={adapter.forwards} onChange={(forwards) => change({ forwards })} />
          </>
        )}
        {adapter.network === "nat" && (
          <Field label={t("network.nameServers")} help={t("network.nameServersHelp")}>
            {(props) => (
              <InputGroup
                {...props}
                defaultValue={adapter.nameServers.join(", ")}
                spellCheck={false}
                onBlur={(event) => change({ nameServers: lines(event.target.value) })}
              />
            )}
          </Field>
        )}
        {adapter.network === "nat" && (
          <>
            <Field label={t("network.bootFolder")} help={t("network.bootFolderHelp")}>
              {(props) => (
                <InputGroup
                  {...props}
                  value={adapter.bootFolder}
                  spellCheck={false}
                  onValueChange={(bootFolder) => change({ bootFolder })}
                />
              )}
            </Field>
            <Field label={t("network.bootFile")}>
              {(props) => (
                <InputGroup
                  {...props}
                  value={adapter.bootFile}
                  spellCheck={false}
                  onValueChange={(bootFile) => change({ bootFile })}
                />
              )}
            </Field>
          </>
        )}
        <RuleRows firewall={adapter.firewall} onChange={(firewall) => change({ firewall })} />
        {(["sendLimitKbit", "receiveLimitKbit"] as const).map((key) => (
          <Field key={key} label={t(`network.${key}`)}>
            {(props) => (
              <div className="field-row">
                <InputGroup
                  {...props}
                  className="field-number"
                  type="number"
                  value={adapter[key] === null ? "" : String(adapter[key])}
                  placeholder={t("network.noLimit")}
                  onValueChange={(text) => change({ [key]: limit(text) })}
                />
                <span className="muted">kbit/s</span>
              </div>
            )}
          </Field>
        ))}
      </Collapse>
    </div>
  );
}
