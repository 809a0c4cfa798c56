import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { runDoctor } from "../../scripts/doctor/doctor.ts";
import { startProcess } from "../support/process.ts";
import { diagnose, startApi } from "./support.ts";

const root = new URL("../../", import.meta.url);
const SECRET = "secret-of-somebody";
const AT = ["--url", "http://127.0.0.1:9"];

describe("A wrong command line", () => {
  test.each<[string, RegExp, string[]]>([
    ["without anything", /^--token is needed/, []],
    ["without an address", /^--url is needed/, ["--token", SECRET]],
    ["with an empty address", /^--url is needed/, ["--url", "", "--token", SECRET]],
    ["without a token", /^--token is needed/, AT],
    ["with the token as the address", /^--url: expected an http/, ["--url", SECRET, "--token", "x"]],
    ["with a password in the address", /^--url: expected an http/, ["--url", `http://a:${SECRET}@b/`, "--token", "x"]],
    ["with a whole header as the token", /^--token: expected the token alone/, [...AT, "--token", `Bearer ${SECRET}`]],
    ["with a line break in the other", /^--other-token: /, [...AT, "--token", "x", "--other-token", `${SECRET}\n`]],
    ["with the token in no option", /^There is an option/, [...AT, SECRET]],
    ["with an unknown option", /^There is an option/, [...AT, `--tokn=${SECRET}`]],
    ["with an option that lacks its value", /^There is an option/, [...AT, "--token"]],
    ["with a wrong timeout", /^--timeout: expected a whole number/, [...AT, "--token", SECRET, "--timeout", "soon"]],
    ["with an empty chat", /^--chat: /, [...AT, "--token", SECRET, "--chat", ""]],
    ["with --idempotent alone", /^--idempotent .* needs --write/, [...AT, "--token", SECRET, "--idempotent"]],
  ])("%s ends with 2 and shows nothing secret", async (_name, sentence, args) => {
    const { exitCode, output } = await runDoctor(args);
    expect(output).toMatch(sentence);
    expect(output).not.toContain(SECRET);
    expect(exitCode).toBe(2);
  });
});

test("A token is not printed, even where the API sends it back, and no terminal obeys what the API says", async () => {
  await using api = await startApi();
  const { token } = api.users[0] ?? { token: "" };
  api.faults.answer({ headers: { "content-type": `text/${token}` }, body: { user: {} } }, { path: "/auth/profile" });
  api.faults.redirect(`http://127.0.0.1:9/${token}/carol-token`, { path: "/chats" });
  const [id] = ["c-\u{9b}2J\u{202e}"];
  api.data.createChat({ id, participants: [api.users[0]?.id ?? ""] });
  const { output } = await diagnose(api, "--write", "--chat", id, "--other-token", "carol-token");
  expect(output).toContain("content-type is text/…");
  expect(output).toContain("redirected with 302 to http://127.0.0.1:9/…/…");
  expect(output).toContain("a message to the chat c- 2J");
  expect(output).not.toMatch(/alice-token|carol-token|\u{9b}|\u{202e}/u);
});

test("--help names every option and asks nobody", async () => {
  const { exitCode, output } = await runDoctor(["--help"]);
  const options = ["--url", "--token", "--other-token", "--chat", "--write", "--idempotent", "--timeout", "--help"];
  for (const option of options) expect(output).toContain(`\n  ${option} `);
  expect(exitCode).toBe(0);
});

/** What `npm run doctor` runs, with this process's own Node.js. */
function command(...args: string[]): readonly [string, ...string[]] {
  const { scripts } = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as {
    scripts: { doctor: string };
  };
  const [program, file = ""] = scripts.doctor.split(" ");
  expect(program).toBe("node");
  return [process.execPath, fileURLToPath(new URL(file, root)), ...args];
}

test("As a process it prints, and its exit code tells", async () => {
  await using api = await startApi();
  const args = ["--url", api.url, "--token", "alice-token"];
  await using healthy = await startProcess({ command: command(...args) });
  await using wrong = await startProcess({ command: command("--nothing") });
  expect(await healthy.exited).toEqual({ code: 0, signal: null });
  expect(healthy.output).toMatch(/^The REST API at http.*\n\n✓ GET \/auth\/profile: 200/);
  expect(healthy.output).toMatch(/\d+ right, 0 wrong, 4 not checked\.\n$/);
  expect(await wrong.exited).toEqual({ code: 2, signal: null });
  expect([wrong.output, wrong.errors]).toEqual(["", expect.stringContaining("--help tells more.")]);
  api.faults.html({ path: "/chats" });
  await using ill = await startProcess({ command: command(...args) });
  expect(await ill.exited).toEqual({ code: 1, signal: null });
  expect(ill.output).toContain("✗ GET /chats: ");
});
