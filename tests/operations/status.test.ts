import { expect, test } from "vitest";
import { launchBrowser } from "../support/browser.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { MeDocument } from "../support/generated/graphql.ts";

const TOKEN = "a-token-for-operators";
const ADMIN = {
  ADMIN_PORT: "0",
  ADMIN_TOKEN: TOKEN,
  EVENTS_SECRET: `whsec_${btoa("a secret of thirty-two characters")}`,
};

test("the status says how the gateway is, without a secret", async () => {
  await using gateway = await startGateway(ADMIN);
  await using client = connect(gateway.wsUrl, gateway.api.users[0]?.token);
  await client.run(MeDocument);
  const response = await fetch(new URL("/status", gateway.adminUrl), { headers: { authorization: `Bearer ${TOKEN}` } });
  expect(response.headers.get("content-type")).toMatch(/^application\/json/);
  const text = await response.text();
  const status = JSON.parse(text) as Record<string, unknown>;
  expect(status).toMatchObject({
    instance: expect.any(String),
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    uptimeSeconds: expect.any(Number),
    notReady: [],
    connections: { open: 1, total: 1, lagging: 0 },
    sessions: { sessions: 1, tokens: 1 },
    redis: { isConfigured: false, isUp: true },
    restApi: { circuit: "closed" },
    configuration: { ADMIN_TOKEN: "set", EVENTS_SECRET: "set", REDIS_URL: "unset", MAX_CONNECTIONS: 50_000 },
  });
  expect(status["instances"]).toEqual([expect.objectContaining({ instance: status["instance"], connections: 1 })]);
  for (const secret of [TOKEN, ADMIN.EVENTS_SECRET, gateway.api.users[0]?.token ?? ""]) {
    expect(text).not.toContain(secret);
  }
});

test("the page shows it to a browser, on a phone as well, and asks nobody else", async () => {
  await using gateway = await startGateway(ADMIN);
  await using client = connect(gateway.wsUrl, gateway.api.users[0]?.token);
  await client.run(MeDocument);
  const { adminUrl = "" } = gateway;
  await using browser = await launchBrowser();
  await using context = await browser.newContext({
    viewport: { width: 360, height: 740 },
    isMobile: true,
    httpCredentials: { username: "operator", password: TOKEN },
  });
  const page = await context.newPage();
  const asked: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).origin));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(`${adminUrl}/status`);
  await page.getByRole("status").getByText("ready").waitFor();
  expect(await page.getByRole("img").count()).toBe(6);
  expect(await page.getByRole("img", { name: /^Connections: \d/ }).isVisible()).toBe(true);
  expect(await page.locator("#instances tr").count()).toBe(2);
  // Nothing is wider than the screen.
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
  expect(complaints.filter((text) => !text.includes("401"))).toEqual([]);
  expect([...new Set(asked)]).toEqual([new URL(adminUrl).origin]);
});
