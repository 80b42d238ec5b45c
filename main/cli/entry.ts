// Asks the host for an address that opens the app in a browser, once.
import { z } from "zod";
import { AppError } from "../../native-core/common/errors.ts";
import type { HostControl } from "../web-host/control-file.ts";

export async function entryAddress(control: HostControl): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${control.port}/api/entry`, {
    method: "POST",
    headers: { Authorization: `Bearer ${control.token}` },
  });
  const answer = z.object({ url: z.string() }).safeParse(await response.json());
  if (answer.success) return answer.data.url;
  throw new AppError("PERMISSION_DENIED", `The host gave no address (${response.status})`);
}
