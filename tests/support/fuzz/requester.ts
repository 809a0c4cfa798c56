/** Sends a request that was made up to a gateway, and looks at the answer. */
import type { Target } from "./attacker.ts";
import { Harm, harmIn } from "./harm.ts";
import type { HostileRequest } from "./inputs.ts";
import { patiently } from "./patience.ts";

/** @throws Harm */
export async function request(target: Target, { search, isAuthenticated, ...init }: HostileRequest): Promise<void> {
  const headers = new Headers(init.headers);
  if (isAuthenticated) headers.set("authorization", `Bearer ${target.tokens[0] ?? ""}`);
  const aborter = new AbortController();
  const answer = answerOf(target, `${target.url}${search}`, { ...init, headers, signal: aborter.signal });
  // It may be broken off while nobody waits for it any more.
  answer.catch(() => undefined);
  const { status, text } = await patiently("a request", answer).finally(() => aborter.abort());
  if (status >= 500) throw new Harm(`the gateway answered ${status} ${text.slice(0, 1000)}`);
  const harm = harmIn(text);
  if (harm) throw harm;
}

async function answerOf(target: Target, url: string, init: RequestInit): Promise<{ status: number; text: string }> {
  const response = await fetch(url, init);
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  return { status: response.status, text: isStream ? await beginningOf(response, target) : await response.text() };
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
