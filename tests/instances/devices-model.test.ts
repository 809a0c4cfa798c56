/** Whatever devices do with whatever ids, before or after the window: each receives what a simple model says. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { World, type Device, type Operation } from "./devices-world.ts";

type Step = (world: World) => Promise<void> | void;

const device = fc.nat(2);
const operation = fc.nat(2);
const instance = fc.nat(1);

/** With a name that fast-check can show. */
function step(name: string, run: Step): Step & { toString(): string } {
  return Object.assign((world: World) => run(world), { toString: () => name });
}

function ofDevice(name: string, run: (world: World, whose: Device) => Promise<void> | void): fc.Arbitrary<Step> {
  return device.map((index) => step(`${name} ${index}`, (world) => run(world, world.devices[index] as Device)));
}

function ofOperation(
  name: string,
  run: (world: World, whose: Device, which: Operation) => Promise<void> | void,
): fc.Arbitrary<Step> {
  return fc.tuple(device, operation).map(([index, of]) =>
    step(`${name} ${index}.${of}`, (world) => {
      const whose = world.devices[index] as Device;
      return run(world, whose, whose.operations[of] as Operation);
    }),
  );
}

const steps = fc.oneof(
  { weight: 5, arbitrary: instance.map((at) => step(`send at ${at}`, (world) => world.send(at))) },
  { weight: 4, arbitrary: ofOperation("subscribe", (world, whose, which) => world.subscribe(whose, which, undefined)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(20), device, operation)
      .map(([after, index, of]) =>
        step(`subscribe ${index}.${of} after ${after}`, (world) =>
          world.subscribe(world.devices[index] as Device, world.devices[index]?.operations[of] as Operation, after),
        ),
      ),
  },
  { weight: 3, arbitrary: ofOperation("complete", (world, whose, which) => world.complete(whose, which)) },
  { weight: 4, arbitrary: ofDevice("cut", (world, whose) => world.cut(whose)) },
  {
    weight: 5,
    arbitrary: fc
      .tuple(device, instance)
      .map(([index, at]) =>
        step(`connect ${index} to ${at}`, (world) => world.connect(world.devices[index] as Device, at)),
      ),
  },
  { weight: 1, arbitrary: ofDevice("good-bye of", (world, whose) => world.sayGoodbye(whose)) },
  { weight: 1, arbitrary: fc.constant(step("the window passes", (world) => world.pass())) },
  { weight: 1, arbitrary: fc.constant(step("check", (world) => world.check())) },
);

test("each device receives what it missed, or is told that it cannot", async () => {
  let sent = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 20, maxLength: 60, size: "max" }), async (sequence) => {
      await using world = await World.start();
      for (const [index, whose] of world.devices.entries()) {
        await world.connect(whose, index % 2);
        for (const which of whose.operations) await world.subscribe(whose, which, undefined);
      }
      for (const run of sequence) await run(world);
      for (const whose of world.devices) await world.connect(whose, 0);
      await world.check();
      sent += world.cursors.length;
    }),
    { seed: 20_261_126, numRuns: 5, endOnFailure: true },
  );
  expect(sent).toBeGreaterThan(20);
});
