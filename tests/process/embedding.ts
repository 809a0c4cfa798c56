/** A program that has a gateway in it. When something is typed it closes it, and then has nothing left that would keep it running. */
import { once } from "node:events";
import { readConfig } from "../../src/config/config.ts";
import { createGateway } from "../../src/gateway.ts";

try {
  const gateway = await createGateway(readConfig());
  await once(process.stdin, "data");
  process.stdin.destroy();
  await gateway.close();
  process.stdout.write('{"msg":"closed"}\n');
} catch (error) {
  process.stderr.write(String(error));
  process.exitCode = 2;
}
