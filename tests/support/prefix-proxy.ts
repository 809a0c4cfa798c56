/** A reverse proxy under whose path prefix a gateway stands, as many of them do in production. */
import { once } from "node:events";
import { createServer, request, type IncomingMessage } from "node:http";
import { connect, type AddressInfo } from "node:net";

export interface PrefixProxy extends AsyncDisposable {
  /** Where the gateway's endpoint is to be found: the path begins with the prefix. */
  readonly url: string;
}

/** Takes `prefix` off every path and passes on everything else as it is, the upgrade to WebSocket included. */
export async function startPrefixProxy(targetUrl: string, prefix: string): Promise<PrefixProxy> {
  const target = new URL(targetUrl);
  const to = { host: target.hostname, port: Number(target.port) };
  const pathOf = ({ url = "" }: IncomingMessage): string => url.slice(prefix.length);
  const server = createServer((incoming, outgoing) => {
    const { method, headers } = incoming;
    const passed = request({ ...to, path: pathOf(incoming), method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on("error", () => outgoing.destroy());
    incoming.pipe(passed);
  });
  server.on("upgrade", (incoming, near, head) => {
    const far = connect(to);
    const headers = incoming.rawHeaders.map((text, index) => text + (index % 2 === 0 ? ": " : "\r\n"));
    far.write(`GET ${pathOf(incoming)} HTTP/1.1\r\n${headers.join("")}\r\n`);
    far.write(head);
    far.pipe(near).pipe(far);
    far.on("error", () => near.destroy());
    near.on("error", () => far.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${prefix}${target.pathname}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
