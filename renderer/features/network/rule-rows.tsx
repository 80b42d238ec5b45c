// Firewall of an adapter: the defaults of both directions, and rules in the order in which they are asked.
import { Button, HTMLSelect, InputGroup } from "@blueprintjs/core";
import { CrossIcon, PlusIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import type { AdapterConfig, FirewallRuleConfig } from "../../../native-core/config/network-settings.ts";

type Firewall = AdapterConfig["firewall"];

interface Props {
  readonly firewall: Firewall;
  onChange(firewall: Firewall): void;
}

const ACTIONS = ["allow", "deny"] as const;
const DIRECTIONS = ["out", "in"] as const;
const PROTOCOLS = ["any", "tcp", "udp", "icmp"] as const;

export function RuleRows({ firewall, onChange }: Props) {
  const { t } = useTranslation();
  const { rules } = firewall;
  const setRules = (next: FirewallRuleConfig[]) => onChange({ ...firewall, rules: next });
  const change = (index: number, part: Partial<FirewallRuleConfig>) =>
    setRules(rules.map((rule, at) => (at === index ? { ...rule, ...part } : rule)));
  const pick = <T extends string>(choices: readonly T[], text: string): T =>
    choices.find((choice) => choice === text) ?? (choices[0] as T);
  const actions = ACTIONS.map((value) => ({ value, label: t(`network.actions.${value}`) }));
  return (
    <fieldset className="network-rows">
      <legend>{t("network.firewall")}</legend>
      <div className="network-row">
        {(["defaultOut", "defaultIn"] as const).map((key) => (
          <label key={key} className="network-default">
            {t(`network.${key}`)}
            <HTMLSelect
              value={firewall[key]}
              options={actions}
              onChange={(event) => onChange({ ...firewall, [key]: pick(ACTIONS, event.target.value) })}
            />
          </label>
        ))}
      </div>
      {rules.map((rule, index) => (
        // A rule is nothing but its place in the list.
        <div className="network-row" key={index}>
          <HTMLSelect
            aria-label={t("network.action")}
            value={rule.action}
            options={actions}
            onChange={(event) => change(index, { action: pick(ACTIONS, event.target.value) })}
          />
          <HTMLSelect
            aria-label={t("network.direction")}
            value={rule.direction}
            options={DIRECTIONS.map((value) => ({ value, label: t(`network.directions.${value}`) }))}
            onChange={(event) => change(index, { direction: pick(DIRECTIONS, event.target.value) })}
          />
          <HTMLSelect
            aria-label={t("network.protocol")}
            value={rule.protocol}
            options={PROTOCOLS.map((value) => ({ value, label: value === "any" ? t("network.anyProtocol") : value }))}
            onChange={(event) => change(index, { protocol: pick(PROTOCOLS, event.target.value) })}
          />
          <InputGroup
            aria-label={t("network.address")}
            placeholder={t("network.anywhere")}
            value={rule.address}
            onValueChange={(address) => change(index, { address })}
          />
          <InputGroup
            className="network-port"
            aria-label={t("network.ports")}
            placeholder={t("network.allPorts")}
            value={rule.port}
            onValueChange={(port) => change(index, { port })}
          />
          <Button
            size="small"
            variant="minimal"
            icon={<CrossIcon />}
            aria-label={t("network.removeRule", { number: index + 1 })}
            onClick={() => setRules(rules.toSpliced(index, 1))}
          />
        </div>
      ))}
      <Button
        size="small"
        icon={<PlusIcon />}
        text={t("network.addRule")}
        onClick={() =>
          setRules([...rules, { action: "deny", direction: "out", protocol: "any", address: "", port: "" }])
        }
      />
    </fieldset>
  );
}
