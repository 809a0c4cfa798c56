/** Loaded before a Node.js server of which a profile is wanted: SIGHUP begins one, the next SIGHUP writes it to the file `PROFILE`. */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { env } from "node:process";

const SAMPLING_INTERVAL_US = 1000;

const file = env["PROFILE"] ?? "";
const session = new Session();
session.connect();
let isRunning = false;

async function toggle(): Promise<void> {
  if (!isRunning) {
    isRunning = true;
    rmSync(file, { force: true });
    await session.post("Profiler.enable");
    await session.post("Profiler.setSamplingInterval", { interval: SAMPLING_INTERVAL_US });
    await session.post("Profiler.start");
    return;
  }
  isRunning = false;
  const { profile } = await session.post("Profiler.stop");
  // Whole or not there: whoever waits for it looks for its name.
  writeFileSync(`${file}.part`, JSON.stringify(profile));
  renameSync(`${file}.part`, file);
}

process.on("SIGHUP", () => void toggle());
