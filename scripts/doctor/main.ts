/** `npm run doctor`: checks a REST API against what the gateway needs of it. */
import { runDoctor } from "./doctor.ts";

const { exitCode, output } = await runDoctor(process.argv.slice(2));
(exitCode === 2 ? process.stderr : process.stdout).write(output);
process.exitCode = exitCode;
