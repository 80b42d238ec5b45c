// The boot order: each kind of device once, moved up and down; disks and discs that are switched off come last, the network never.
import { Button, Switch } from "@blueprintjs/core";
import { ArrowDownIcon, ArrowUpIcon } from "@blueprintjs/icons";
import { useController } from "react-hook-form";
import { useTranslation } from "react-i18next";
import { BOOT_DEVICES } from "../../../native-core/config/machine-config.ts";
import { fieldText } from "../../forms/schema-fields.ts";
import type { EditorProps } from "./editors.ts";

type BootDevice = (typeof BOOT_DEVICES)[number];

export function BootOrderEditor({ control, field, locked: disabled }: EditorProps) {
  const { t } = useTranslation();
  const { field: input } = useController({ control, name: "boot.order" });
  const order: readonly BootDevice[] = input.value;
  const shown = [...order, ...BOOT_DEVICES.filter((device) => !order.includes(device))];
  const swap = (index: number) => {
    const [first, second] = [order[index], order[index + 1]];
    if (first && second) input.onChange(order.toSpliced(index, 2, second, first));
  };
  return (
    <div className="field" data-field={field.path}>
      <span className="field-label">{fieldText(field, "label")}</span>
      <div className="field-control">
        <ol className="boot-order" aria-label={fieldText(field, "label")}>
          {shown.map((device, index) => {
            const on = order.includes(device);
            const name = t(`settings.bootDevices.${device}`);
            return (
              <li key={device}>
                <Switch
                  label={name}
                  checked={on}
                  disabled={disabled}
                  onChange={() => input.onChange(on ? order.filter((other) => other !== device) : [...order, device])}
                />
                <Button
                  size="small"
                  variant="minimal"
                  icon={<ArrowUpIcon />}
                  aria-label={t("settings.earlier", { device: name })}
                  disabled={disabled || !on || index === 0}
                  onClick={() => swap(index - 1)}
                />
                <Button
                  size="small"
                  variant="minimal"
                  icon={<ArrowDownIcon />}
                  aria-label={t("settings.later", { device: name })}
                  disabled={disabled || !on || index >= order.length - 1}
                  onClick={() => swap(index)}
                />
              </li>
            );
          })}
        </ol>
        <p className="field-help">{fieldText(field, "help")}</p>
      </div>
    </div>
  );
}
