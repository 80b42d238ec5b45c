// The data socket: channels by name, closed to everything else and everybody else.
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { createConnection } from "node:net";
import { afterAll, describe, expect, it } from "vitest";
import { DataSocket } from "../../../native-core/host/data-socket.ts";
import { temporaryFolder } from "../../support/media/qemu-tools.ts";

const folder = temporaryFolder("socket");
afterAll(() => folder.remove());

async function exchange(path: string, ...parts: string[]): Promise<string> {
  const socket = createConnection(path);
  let answer = "";
  socket.on("data", (bytes) => (answer += bytes));
  for (const part of parts) {
    socket.write(part);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await once(socket, "close");
  return answer;
}

describe.skipIf(process.platform === "win32")("the data socket", () => {
  it("hands a connection over by channel, with what followed the line", async () => {
    const path = folder.file("a.sock");
    const data = await DataSocket.listen(path, (channel, socket, first) => {
      socket.end(`${channel}:${Buffer.from(first)}`);
    });
    expect(await exchange(path, "console 1 tail\nhello")).toBe("console 1 tail:hello");
    expect(await exchange(path, "rf", "b\n")).toBe("rfb:");
    await data.close();
  });

  it.each(["nonsense\n", "console 2\n", "\n", "x".repeat(100)])(
    "closes a connection that asks for %j",
    async (line) => {
      const path = folder.file("b.sock");
      const data = await DataSocket.listen(path, (_channel, socket) => socket.end("never"));
      expect(await exchange(path, line)).toBe("");
      await data.close();
    },
  );

  it("is the user's alone, takes the place of a dead one, and leaves nothing behind", async () => {
    const path = folder.file("c.sock");
    const data = await DataSocket.listen(path, () => undefined);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const again = await DataSocket.listen(path, (_channel, socket) => socket.end("second"));
    expect(await exchange(path, "rfb\n")).toBe("second");
    await again.close();
    await data.close();
    expect(existsSync(path)).toBe(false);
  });

  it("says why it can't be opened", async () => {
    await expect(DataSocket.listen(folder.file("no/such/folder.sock"), () => undefined)).rejects.toMatchObject({
      code: "IO_ERROR",
      details: { field: "dataSocket" },
    });
  });
});
