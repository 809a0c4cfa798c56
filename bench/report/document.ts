/** Puts what was measured between the markers of docs/BENCHMARKS.md, whose prose is people's. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const START = "<!-- results:start -->";
const END = "<!-- results:end -->";
const DOCUMENT = fileURLToPath(new URL("../../docs/BENCHMARKS.md", import.meta.url));
const PICTURE = fileURLToPath(new URL("../../docs/benchmarks.svg", import.meta.url));

const NEW_DOCUMENT = `# Benchmarks

What is measured and how: [\`bench/README.md\`](../bench/README.md). \`npm run bench\` measures again and writes what is below.

${START}
${END}
`;

export function writeReport(markdown: string, svg: string): void {
  const document = existsSync(DOCUMENT) ? readFileSync(DOCUMENT, "utf8") : NEW_DOCUMENT;
  const [start, end] = [document.indexOf(START), document.indexOf(END)];
  if (start === -1 || end < start) throw new Error(`docs/BENCHMARKS.md: expected the lines ${START} and ${END}`);
  const around = [document.slice(0, start + START.length), document.slice(end)];
  writeFileSync(DOCUMENT, around.join(`\n\n${markdown}\n\n`));
  writeFileSync(PICTURE, svg);
}
