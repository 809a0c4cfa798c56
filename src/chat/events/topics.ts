/** The topics of the bus. */

/** The topic of a chat's events. */
export function chatTopic(chatId: string): string {
  return `chat:${chatId}`;
}

/** The one topic of what concerns users rather than chats: every instance listens to it. */
export const USERS_TOPIC = "users";

/** The topic of messages in chats without a known member. Separate from `users`, whose log they would push memberships out of. */
export const UNKNOWN_CHATS_TOPIC = "unknown-chats";

/** The chat of a chat's topic. */
export function chatOfTopic(topic: string): string {
  return topic.slice(chatTopic("").length);
}
