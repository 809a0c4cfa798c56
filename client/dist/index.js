/** A chat client for graphql-chat-gateway that loses nothing, whatever becomes of its connection. */
export { createChatClient } from "./client.js";
export { Failure } from "./failure.js";
export { resumable } from "./resumable.js";
//# sourceMappingURL=index.js.map