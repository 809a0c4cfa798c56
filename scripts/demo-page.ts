/** The demo as one HTML file. Preact takes React's place: with React the page would be three times as large. */
import { readFileSync } from "node:fs";
import { build } from "vite";
import { z } from "zod";

const TITLE = "graphql-chat-gateway: demo";

/** What Vite answers where it is not to write. */
const bundles = z.array(z.object({ output: z.array(z.object({ code: z.string().optional() })) }));

/** The page with everything in it. */
export async function buildDemoPage(): Promise<string> {
  const css = readFileSync("demo/style.css", "utf8");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${TITLE}</title>
<link rel="icon" href="data:,">
<style>${css.replaceAll(/\s+/g, " ").trim()}</style>
</head>
<body>
<noscript>The demo needs JavaScript.</noscript>
<main></main>
<script type="module">${(await script()).replaceAll("</script", String.raw`<\/script`).trim()}</script>
</body>
</html>
`;
}

async function script(): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: "warn",
    mode: "production",
    resolve: {
      alias: [
        { find: /^react(-dom)?$/, replacement: "preact/compat" },
        { find: "react-dom/client", replacement: "preact/compat/client" },
        { find: /^react\/jsx(-dev)?-runtime$/, replacement: "preact/jsx-runtime" },
        { find: "graphql-chat-client/react", replacement: `${process.cwd()}/client/src/react/index.ts` },
        { find: "graphql-chat-client", replacement: `${process.cwd()}/client/src/index.ts` },
      ],
    },
    build: {
      write: false,
      minify: true,
      target: "es2022",
      modulePreload: false,
      rolldownOptions: { input: "demo/main.tsx", output: { format: "es" } },
    },
  });
  const [bundle] = bundles.parse(Array.isArray(built) ? built : [built]);
  return bundle?.output[0]?.code ?? "";
}
