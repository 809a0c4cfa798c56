/** Several devices of one user that count their operations alike: nobody gets less for what another does. */
import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { begin, comeTo, follow } from "../instances/following.ts";
import { SendMessageDocument } from "../support/generated/graphql.ts";
import { createScene, OF_TEAM, send, type Scene } from "../support/resume-scene.ts";
import type { Visit } from "../support/returning-client.ts";
import { numbered, type Transcript } from "../support/transcript.ts";

const [alice] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

const OF_SHOP = { ...OF_TEAM, variables: { chatId: shop } };

const AFTER = {
  query: `subscription ($chatId: ID, $after: String) { messageAdded(chatId: $chatId, after: $after) { content } }`,
};

/** A device, which may be called something. */
function come({ gateway }: Scene, clientId?: string): Promise<Visit> {
  return comeTo(gateway.wsUrl, alice.token, clientId === undefined ? {} : { clientId });
}

async function have(word: string, transcripts: readonly Transcript[]): Promise<void> {
  await Promise.all(transcripts.map((transcript) => transcript.has(word)));
}

describe.each([2, 3])("of %i devices", (count) => {
  const names = ["phone", "tablet", "desk"].slice(0, count);

  test("each that flaps gets all that it missed, and no connection gets anything twice", async () => {
    await using scene = await createScene();
    await using stack = new AsyncDisposableStack();
    const devices = await Promise.all(names.map((name) => come(scene, name)));
    const had: Transcript[][] = [];
    for (const device of devices) had.push([await follow(device, "1", OF_TEAM), await follow(device, "2", OF_SHOP)]);
    let sent = 0;
    for (let round = 0; round < 4; round++) {
      const index = round % count;
      await devices[index]?.drop();
      sent++;
      await send(scene.writer, [`a${sent}`]);
      await send(scene.writer, [`b${sent}`], shop);
      const device = (devices[index] = stack.use(await come(scene, names[index])));
      had[index]?.push(await follow(device, "1", OF_TEAM), await follow(device, "2", OF_SHOP));
    }
    await send(scene.writer, ["a end"]);
    await send(scene.writer, ["b end"], shop);
    for (const transcripts of had) {
      await have("a end", transcripts.slice(-2, -1));
      await have("b end", transcripts.slice(-1));
      expect(transcripts.flatMap(({ repeats }) => repeats)).toEqual([]);
      const received = transcripts.flatMap(({ all }) => all);
      for (const chat of ["a", "b"]) {
        const ofChat = received.filter((content) => content.startsWith(chat));
        // On its next connection it may be given again what was written in the second before the cut.
        expect([...new Set(ofChat)]).toEqual([...numbered(chat, 1, sent), `${chat} end`]);
      }
    }
    for (const device of devices) await device.drop();
  });

  test("one that completes, or says good-bye, ends no other's subscription", async () => {
    await using scene = await createScene();
    const devices = await Promise.all(names.map((name) => come(scene, name)));
    const [leaving, ...staying] = devices;
    for (const device of devices) for (const id of ["1", "2"]) await follow(device, id, OF_TEAM);
    for (const device of staying) await device.drop();
    leaving?.socket.socket.send(JSON.stringify({ id: "1", type: "complete" }));
    await leaving?.handled();
    await send(scene.writer, ["a1"]);
    await leaving?.leave(1000);
    await send(scene.writer, ["a2"]);
    const back: Transcript[] = [];
    await using stack = new AsyncDisposableStack();
    for (const name of names.slice(1)) {
      const device = stack.use(await come(scene, name));
      for (const id of ["1", "2"]) back.push(await follow(device, id, OF_TEAM));
    }
    await send(scene.writer, ["a3"]);
    await have("a3", back);
    for (const { all } of back) expect(all).toEqual(["a1", "a2", "a3"]);
  });

  test.each([
    ["that are not called anything", false],
    ["that are called something", true],
  ])("%s each gets everything after its own explicit after", async (_, isNamed) => {
    await using scene = await createScene();
    const cursors: string[] = [];
    for (const content of numbered("a", 0, count)) {
      const { sendMessage } = await scene.writer.run(SendMessageDocument, { chatId: team, content });
      cursors.push(sendMessage.cursor);
    }
    await using stack = new AsyncDisposableStack();
    const all: Transcript[] = [];
    for (const [index, name] of names.entries()) {
      const device = stack.use(await come(scene, isNamed ? name : undefined));
      const operation = { ...AFTER, variables: { chatId: team, after: cursors[index] } };
      for (const id of ["1", "2"]) all.push(await follow(device, id, operation));
    }
    await send(scene.writer, ["live"]);
    await have("live", all);
    for (const [index, { all: received }] of all.entries()) {
      expect(received).toEqual([...numbered("a", 1 + Math.floor(index / 2), count), "live"]);
    }
  });
});

test("a page that is reloaded takes no position of the page beside it", async () => {
  await using scene = await createScene();
  await using beside = await come(scene);
  const there = await follow(beside, "1", OF_TEAM);
  for (let round = 1; round <= 3; round++) {
    await using page = await come(scene);
    const results = begin(page, "1", OF_TEAM);
    await page.handled();
    await page.leave(1001);
    await send(scene.writer, [`a${round}`]);
    expect(results.all).toEqual([]);
  }
  await send(scene.writer, ["end"]);
  await there.has("end");
  expect(there.all).toEqual([...numbered("a", 1, 3), "end"]);
});
