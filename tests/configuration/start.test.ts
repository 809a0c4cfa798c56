import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startProcess, temporaryDirectory } from "../support/process.ts";

const FAILED = { code: 1, signal: null };

test.each([
  ["PORT", "80a", "a whole number from 0 to 65535"],
  ["CORS_ORIGIN", "chat.example.com", "origins like https://chat.example.com, comma-separated, or *"],
  ["LOG_LEVEL", "loud", "one of fatal, error, warn, info, debug, trace, silent"],
])("%s=%s stops the start, in words on standard error", async (name, value, allowed) => {
  await using started = await startProcess({ env: { [name]: value } });
  expect(await started.exited).toEqual(FAILED);
  expect(started.errors).toBe(`The configuration is wrong.\n${name}: expected ${allowed}, got "${value}"\n`);
  expect(started.output).toBe("");
});

test("a secret that is none stops the start, and stands nowhere", async () => {
  const secret = "whsec_c2VjcmV0!";
  await using started = await startProcess({ env: { EVENTS_SECRET: secret } });
  expect(await started.exited).toEqual(FAILED);
  const allowed = "one Standard Webhooks secret or two, comma-separated: whsec_ and the base64 of at least 24 bytes";
  const said = `EVENTS_SECRET: expected ${allowed}, got something that is not base64`;
  expect(started.errors).toBe(`The configuration is wrong.\n${said}\n`);
  expect(started.output).toBe("");
});

test("production does not start without a REST API", async () => {
  await using started = await startProcess({ env: { NODE_ENV: "production", HTTP_API_URL: "" } });
  expect(await started.exited).toEqual(FAILED);
  expect(started.errors).toContain("HTTP_API_URL: expected the address of the REST API, got nothing");
});

test(".env is read where there is one, and the environment wins", async () => {
  await using directory = await temporaryDirectory();
  await writeFile(join(directory.path, ".env"), "PORT=file\nTYPING_TIMEOUT=file\nGRAPHIQL=true\n# LOG_LEVEL=file\n");
  const env = { PORT: "0", GRAPHIQL: "environment" };
  await using started = await startProcess({ cwd: directory.path, env });
  expect(await started.exited).toEqual(FAILED);
  const complaints = started.errors.trimEnd().split("\n").slice(1);
  expect(complaints.map((line) => line.split(": ")[0])).toEqual(["TYPING_TIMEOUT", "GRAPHIQL"]);
  expect(complaints[0]).toContain('got "file"');
  expect(complaints[1]).toContain('got "environment"');
});

test("a port in use stops the start, and the log says which", async () => {
  const neighbour = createServer().listen(0, "127.0.0.1");
  await once(neighbour, "listening");
  await using stack = new AsyncDisposableStack();
  stack.defer(() => void neighbour.close());
  const { port } = neighbour.address() as AddressInfo;
  await using started = await startProcess({ env: { PORT: String(port), DEV_API_FILE: ":memory:" } });
  expect(await started.exited).toEqual(FAILED);
  const msg = "the port is taken: set the variable to another, or to 0 for a free one";
  expect(started.log).toMatchObject([{ level: 60, msg, port, variable: "PORT" }]);
  expect(neighbour.listening).toBe(true);
});

test.each([
  ["ADMIN_PORT", { HTTP_API_URL: "http://127.0.0.1:1" }],
  ["DEV_API_PORT", { DEV_API_FILE: ":memory:" }],
])("a port of %s in use is named as such", async (name, more) => {
  const neighbour = createServer().listen(0, "127.0.0.1");
  await once(neighbour, "listening");
  await using stack = new AsyncDisposableStack();
  stack.defer(() => void neighbour.close());
  const { port } = neighbour.address() as AddressInfo;
  await using started = await startProcess({ env: { PORT: "0", [name]: String(port), ...more } });
  expect(await started.exited).toEqual(FAILED);
  expect(started.log).toMatchObject([{ level: 60, port, variable: name }]);
});

describe("an .env", () => {
  test("that begins with a byte order mark loses no variable", async () => {
    await using directory = await temporaryDirectory();
    await writeFile(join(directory.path, ".env"), "\ufeffPORT=file\n");
    await using started = await startProcess({ cwd: directory.path });
    expect(await started.exited).toEqual(FAILED);
    expect(started.errors).toContain('PORT: expected a whole number from 0 to 65535, got "file"');
  });

  test("that is not UTF-8 stops the start", async () => {
    await using directory = await temporaryDirectory();
    await writeFile(join(directory.path, ".env"), "\ufeffPORT=0\n", "utf16le");
    await using started = await startProcess({ cwd: directory.path, env: { PORT: "0" } });
    expect(await started.exited).toEqual(FAILED);
    expect(started.errors).toBe("The configuration is wrong.\n.env: expected a file in UTF-8, got another encoding\n");
  });

  test("that is a directory stops the start", async () => {
    await using directory = await temporaryDirectory();
    await mkdir(join(directory.path, ".env"));
    await using started = await startProcess({ cwd: directory.path, env: { PORT: "0" } });
    expect(await started.exited).toEqual(FAILED);
    expect(started.errors).toBe("The configuration is wrong.\n.env: expected a file that can be read, got EISDIR\n");
  });
});
