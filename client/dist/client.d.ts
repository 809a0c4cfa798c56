import type { ChatClient, ChatClientOptions } from "./types.js";
/**
 * Connects to the gateway at once, and for as long as it takes, until `close`. In a page that a server renders, call it in the
 * browser alone.
 */
export declare function createChatClient(options: ChatClientOptions): ChatClient;
