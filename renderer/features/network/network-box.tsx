// The Network box of Details: each adapter with what it is plugged into, its cable and its forwards.
import { useTranslation } from "react-i18next";
import type { MachineDetails } from "../../../main/contract/schemas.ts";
import { Box, Row } from "../../ui/box.tsx";
import { SettingLink } from "../details/setting-link.tsx";
import { networkName } from "./adapters.ts";

export function NetworkBox({ machine }: { readonly machine: MachineDetails }) {
  const { t } = useTranslation();
  const { adapters } = machine.config;
  return (
    <Box name="network" title={t("network.title")}>
      {adapters.length === 0 && (
        <SettingLink machineId={machine.id} field="adapters" label={t("network.title")}>
          {t("network.noAdapters")}
        </SettingLink>
      )}
      <dl>
        {adapters.map((adapter) => (
          <Row key={adapter.id} label={adapter.id}>
            <SettingLink machineId={machine.id} field="adapters" label={adapter.id}>
              {networkName(adapter)}
            </SettingLink>
            {!adapter.connected && <span className="muted"> {t("network.cableOff")}</span>}
            {adapter.forwards.map(({ protocol, hostAddress, hostPort, guestPort }) => (
              <div key={`${protocol} ${hostAddress} ${hostPort}`} className="muted number">
                {protocol} {hostAddress}:{hostPort} → {guestPort}
              </div>
            ))}
          </Row>
        ))}
      </dl>
    </Box>
  );
}
