import { createChatClient } from "graphql-chat-client";
import { gatewayUrl, getToken } from "shared/gateway.ts";

export const chatClient = createChatClient({ url: gatewayUrl, token: getToken, storage: sessionStorage });
