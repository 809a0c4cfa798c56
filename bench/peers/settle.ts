/** Loaded before a Node.js server whose memory is measured: SIGUSR2 collects garbage, so that what is left is in use. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as (options: object) => void;
// Of V8's ways the one that also gives back the pages that are empty then.
process.on("SIGUSR2", () => collect({ type: "major", execution: "sync", flavor: "last-resort" }));
