/** Two ordinary clients beside an attack: what one of them says the other receives, all of it, once and in order. */
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "./client.ts";
import { MeDocument, MessageAddedDocument, SendMessageDocument } from "./generated/graphql.ts";

const [, bob, carol] = DEMO_USERS;
const { team } = DEMO_CHATS;

export interface Bystanders extends AsyncDisposable {
  /** Resolves to everything that was received so far when so many more messages have been sent and the last one has arrived. */
  talk(count: number): Promise<readonly string[]>;
  /** Everything that was sent so far. */
  readonly sent: readonly string[];
}

/** Resolves when both are connected and the listener is subscribed. Only they may write to the team's chat. */
export async function startBystanders(wsUrl: string): Promise<Bystanders> {
  await using starting = new AsyncDisposableStack();
  const listener = starting.use(connect(wsUrl, carol.token));
  const events = starting.use(listener.subscribe(MessageAddedDocument, { chatId: team }));
  const sender = starting.use(connect(wsUrl, bob.token));
  await Promise.all([listener, sender].map((client) => client.run(MeDocument)));
  const running = starting.move();
  const sent: string[] = [];
  const received: string[] = [];
  return {
    sent,
    async talk(count) {
      for (let said = 0; said < count; said++) {
        const content = `message ${sent.length}`;
        await sender.run(SendMessageDocument, { chatId: team, content });
        sent.push(content);
      }
      while (received.at(-1) !== sent.at(-1)) received.push((await events.next()).messageAdded.content);
      return received;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
