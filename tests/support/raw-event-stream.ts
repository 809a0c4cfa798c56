/** A subscription over SSE as it stands on the wire: for comparing to the byte. */
import { Queue } from "./queue.ts";

export interface RawEventStream extends AsyncDisposable {
  /** The text of the next result's `data:`. Rejects where the stream has ended. */
  next(): Promise<string>;
  /** Results that have arrived and were not taken yet. */
  readonly waiting: number;
}

/** Resolves when the server has answered with its headers. */
export async function openRawEventStream(
  url: string,
  token: string | undefined,
  operation: object,
): Promise<RawEventStream> {
  const leaving = new AbortController();
  const response = await fetch(url, {
    method: "POST",
    headers: {
      accept: "text/event-stream",
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(operation),
    signal: leaving.signal,
  });
  if (!response.body || response.headers.get("content-type")?.startsWith("text/event-stream") !== true) {
    throw new Error(`${response.status} ${await response.text()}`);
  }
  const results = new Queue<string>();
  let [arrived, taken] = [0, 0];
  const read = async (body: NonNullable<Response["body"]>): Promise<void> => {
    let buffered = "";
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      const blocks = (buffered + chunk).split("\n\n");
      buffered = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = /^event: next\n(?:id: \S+\n)?data: (.*)$/su.exec(block)?.[1];
        if (data === undefined) continue;
        arrived++;
        results.push(data);
      }
    }
  };
  read(response.body).then(
    () => results.end(),
    (error: unknown) => results.end(new Error("the stream broke off", { cause: error })),
  );
  return {
    async next() {
      const text = await results.next();
      taken++;
      return text;
    },
    get waiting() {
      return arrived - taken;
    },
    [Symbol.asyncDispose]: async () => leaving.abort(),
  };
}
