/** Documents lead their readers to something that is there. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const DOCUMENTS = globSync(
  ["*.md", ".github/**/*.md", "{bench,client,demo,deploy,docs,examples,schema,src,tests}/**/*.md"],
  {
    cwd: ROOT,
    exclude: (path) => path.includes("node_modules"),
  },
);

/** The lines that are no code. */
function proseOf(path: string): readonly string[] {
  const parts = readFileSync(path, "utf8").split(/^ *```.*$/m);
  return parts.filter((_part, index) => index % 2 === 0).flatMap((part) => part.split("\n"));
}

/** As GitHub makes it of a heading. */
function anchorOf(heading: string): string {
  const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
  return text
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(/\s/g, "-");
}

function anchorsIn(path: string): readonly string[] {
  return proseOf(path).flatMap((line) => {
    const heading = /^#+ (.*)$/.exec(line)?.[1];
    return heading === undefined ? [] : [anchorOf(heading)];
  });
}

function brokenLinksOf(document: string): readonly string[] {
  const path = join(ROOT, document);
  const links = proseOf(path).flatMap((line) => [...line.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link));
  return links.filter((link) => {
    if (/^(https?|mailto):/.test(link)) return false;
    const [file = "", anchor] = link.split("#");
    const target = file === "" ? path : join(dirname(path), file);
    return (
      !existsSync(target) || (anchor !== undefined && target.endsWith(".md") && !anchorsIn(target).includes(anchor))
    );
  });
}

test("every link leads to a file, or a heading, that is there", () => {
  const broken = DOCUMENTS.flatMap((document) => brokenLinksOf(document).map((link) => `${document}: ${link}`));
  expect(broken).toEqual([]);
  expect(DOCUMENTS.map((document) => relative(".", document))).toContain("docs/BACKEND.md");
});
