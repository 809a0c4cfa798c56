/** Sends a request that was made up to a gateway, and looks at the answer. */
import type { Target } from "./attacker.ts";
import { Harm, harmIn } from "./harm.ts";
import type { HostileRequest } from "./inputs.ts";

/** @throws Harm */
export async function request(target: Target, { search, isAuthenticated, ...init }: HostileRequest): Promise<void> {
  const headers = new Headers(init.headers);
  if (isAuthenticated) headers.set("authorization", `Bearer ${target.tokens[0] ?? ""}`);
  const aborter = new AbortController();
  const response = await fetch(`${target.url}${search}`, { ...init, headers, signal: aborter.signal });
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  const text = isStream ? await beginningOf(response, target) : await response.text();
  aborter.abort();
  if (response.status >= 500) throw new Harm(`the gateway answered ${response.status} ${text.slice(0, 1000)}`);
  const harm = harmIn(text);
  if (harm) throw harm;
}

/** A stream may have no end: what comes before the answer to a later request. */
async function beginningOf({ body }: Response, { url }: Target): Promise<string> {
  let text = "";
  const read = async (): Promise<void> => {
    if (body) for await (const chunk of body.pipeThrough(new TextDecoderStream())) text += chunk;
  };
  const later = async (): Promise<void> => {
    const response = await fetch(`${url}?query={__typename}`, { headers: { accept: "application/json" } });
    await response.arrayBuffer();
  };
  // Reading is broken off in the end.
  await Promise.race([read().catch(() => undefined), later()]);
  return text;
}
