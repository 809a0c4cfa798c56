import { createChatClient } from "graphql-chat-client";

/** Development tokens of the embedded API, chosen by `?token=`. Yours comes from your login. */
const token = new URLSearchParams(location.search).get("token") ?? "alice-token";

export const chatClient = createChatClient({
  url: new URL(import.meta.env.VITE_GATEWAY_URL ?? "http://localhost:8080/graphql", location.href).href,
  token,
  storage: sessionStorage,
});
