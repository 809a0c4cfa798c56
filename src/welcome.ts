/** What somebody reads who starts the gateway for the first time. */

interface Demo {
  /** The address of the embedded development API. */
  readonly url: string;
  readonly users: readonly { readonly name: string; readonly token: string }[];
  readonly demoChatId: string;
}

/** @param url the GraphQL endpoint. */
export function welcome(url: string, { url: apiUrl, users, demoChatId }: Demo): string {
  const tokens = users.map(({ name, token }) => `    ${name.padEnd(14)} ${token}`).join("\n");
  return `
  The gateway runs, on an embedded development API with demo data.

  Demo          ${new URL("/demo", url).href}
  GraphiQL      ${url}
  WebSocket     ${url.replace(/^http/, "ws")}   (graphql-transport-ws)
  REST API      ${apiUrl}

  Demo users and their tokens, for the headers editor: { "Authorization": "Bearer ${users[0]?.token}" }
${tokens}

  Open GraphiQL in two windows, each with another token. In the first:

    subscription { messageAdded { chatId content sender { name } } }

  In the second:

    mutation { sendMessage(chatId: "${demoChatId}", content: "Hello!") { id createdAt } }

  Or past the gateway, as Bob, in a shell:

    curl ${apiUrl}/chats/${demoChatId}/messages -H "Authorization: Bearer ${users[1]?.token}" -d '{"content":"Hello from curl!"}'

  And what there is to see:

    query { me { name } chats { id title unreadCount messages(last: 5) { nodes { content sender { name } } } } }

  Stop with Ctrl+C.

`;
}
