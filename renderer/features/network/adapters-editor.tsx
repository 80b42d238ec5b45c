// The network page of the settings: adapters, each with what it is plugged into.
import { Button } from "@blueprintjs/core";
import { PlusIcon } from "@blueprintjs/icons";
import { useController } from "react-hook-form";
import { useTranslation } from "react-i18next";
import { ADAPTERS_MAX, type AdapterConfig, adaptersSchema } from "../../../native-core/config/network-settings.ts";
import { fieldText } from "../../forms/schema-fields.ts";
import { isOff } from "../machines/rules.ts";
import type { EditorProps } from "../settings/editors.ts";
import { errorMessage } from "../settings/error-message.ts";
import { AdapterCard } from "./adapter-card.tsx";
import { newAdapter } from "./adapters.ts";
import "./network.css";

export function AdaptersEditor({ control, field: declared, machine }: EditorProps) {
  const { t } = useTranslation();
  const { field, fieldState } = useController({ control, name: "adapters" });
  const adapters: readonly AdapterConfig[] = field.value;
  // A running machine is given adapters and relieved of them; one that it has already is exchanged while it is off.
  const isFixed = machine.state === "saved";
  const isExchangeable = (id: string) =>
    isOff(machine.state) || !machine.config.adapters.some((each) => each.id === id);
  // Asked of the schema itself: the form's own check of so deep a value comes only with the next change.
  const problem = adaptersSchema.safeParse(adapters).error?.issues[0]?.message ?? errorMessage(fieldState.error);
  return (
    <div className="card-list" data-field="adapters">
      <p className="field-help">{fieldText(declared, "help")}</p>
      {problem && (
        <p className="field-error" role="alert">
          {problem}
        </p>
      )}
      {adapters.map((adapter, index) => (
        <AdapterCard
          key={adapter.id}
          adapter={adapter}
          isFixed={isFixed}
          isExchangeable={isExchangeable(adapter.id)}
          onChange={(next) => field.onChange(adapters.with(index, next))}
          onRemove={() => field.onChange(adapters.toSpliced(index, 1))}
        />
      ))}
      {adapters.length === 0 && <p className="muted">{t("network.noAdapters")}</p>}
      <div>
        <Button
          icon={<PlusIcon />}
          text={t("network.addAdapter")}
          disabled={isFixed || adapters.length >= ADAPTERS_MAX}
          onClick={() => field.onChange([...adapters, newAdapter(adapters)])}
        />
      </div>
    </div>
  );
}
