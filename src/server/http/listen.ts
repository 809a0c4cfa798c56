import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * Listens. Resolves to scheme, host and port as seen from this machine; rejects where the port is taken or the address is not this
 * machine's.
 *
 * @param port 0 takes a free one.
 */
export async function listen(server: Server, port: number, host: string): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address is one
  const address = server.address() as AddressInfo;
  const shown = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  return `http://${shown.includes(":") ? `[${shown}]` : shown}:${address.port}`;
}
