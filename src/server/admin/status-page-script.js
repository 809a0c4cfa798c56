// Runs in the browser, inlined into the status page: asks the address that the page came from for JSON, and shows it.

const INTERVAL_MS = 5000;

const CHARTS = [
  ["connections", "Connections", String],
  ["subscriptions", "Subscriptions", String],
  ["deliveriesPerSecond", "Deliveries a second", String],
  ["operationsPerSecond", "Operations a second", String],
  ["eventLoopDelayMs", "Event loop delay, ms", String],
  ["heapBytes", "Heap", megabytes],
];

const COLUMNS = [
  ["Instance", ({ instance }) => instance],
  ["State", ({ notReady }) => stateOf(notReady)],
  ["Version", ({ version }) => version],
  ["Connections", ({ connections }) => connections],
  ["Subscriptions", ({ subscriptions }) => subscriptions],
  ["Deliveries/s", ({ deliveriesPerSecond }) => deliveriesPerSecond],
  ["Heap", ({ heapBytes }) => megabytes(heapBytes)],
];

const SVG = "http://www.w3.org/2000/svg";

function megabytes(bytes) {
  return `${Math.round(bytes / 1e6)} MB`;
}

function stateOf(notReady) {
  return notReady.length === 0 ? "ready" : `not ready: ${notReady.join(", ")}`;
}

function element(name, text, children = []) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = String(text);
  made.append(...children);
  return made;
}

function chart(samples, [key, title, format]) {
  const values = samples.map((sample) => sample[key]);
  const max = Math.max(1, ...values);
  const step = 100 / Math.max(1, values.length - 1);
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("points", values.map((value, index) => `${index * step},${30 - (28 * value) / max}`).join(" "));
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 100 32");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${title}: ${format(values.at(-1) ?? 0)}`);
  svg.append(line);
  const caption = element("figcaption", undefined, [
    element("span", title),
    element("strong", format(values.at(-1) ?? 0)),
  ]);
  return element("figure", undefined, [caption, svg]);
}

function rows(entries) {
  return entries.map(([name, value]) =>
    element("tr", undefined, [
      element("th", name),
      element("td", typeof value === "object" ? JSON.stringify(value) : value),
    ]),
  );
}

function show(status) {
  document.querySelector("h1").textContent = status.instance;
  const state = document.querySelector("#state");
  state.textContent = `${stateOf(status.notReady)} · version ${status.version} · up ${status.uptimeSeconds} s`;
  state.classList.toggle("bad", status.notReady.length > 0);
  document.querySelector("#charts").replaceChildren(...CHARTS.map((one) => chart(status.samples, one)));
  const head = element(
    "tr",
    undefined,
    COLUMNS.map(([title]) => element("th", title)),
  );
  const instances = status.instances.map((one) =>
    element(
      "tr",
      undefined,
      COLUMNS.map(([, read]) => element("td", read(one))),
    ),
  );
  document.querySelector("#instances").replaceChildren(head, ...instances);
  const parts = {
    Connections: status.connections,
    Sessions: status.sessions,
    Redis: status.redis,
    "REST API": status.restApi,
  };
  document.querySelector("#parts").replaceChildren(...rows(Object.entries(parts)));
  document.querySelector("#configuration").replaceChildren(...rows(Object.entries(status.configuration)));
}

async function refresh() {
  try {
    const response = await fetch(location.pathname, { headers: { accept: "application/json" } });
    if (!response.ok) throw new Error(`answered ${response.status}`);
    show(await response.json());
  } catch (error) {
    const state = document.querySelector("#state");
    state.textContent = `no answer: ${error.message}`;
    state.classList.add("bad");
  }
  setTimeout(refresh, INTERVAL_MS);
}

void refresh();
