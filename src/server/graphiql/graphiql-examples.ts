/** The operations that GraphiQL opens with, one a tab; a tab is titled after its operation's name. */

/** One tab of GraphiQL. */
export interface ExampleTab {
  readonly query: string;
  /** JSON. */
  readonly variables?: string;
}

// Lines of a comment fit the editor's width on a common screen.
const TOKEN_HINT = `# Runs with the token in the Headers editor below. It goes
# with queries and mutations as an HTTP header, and with
# subscriptions as connectionParams. Each tab has headers of
# its own; they are never stored.`;

const CHAT_HINT = `# Needs a token in Headers and the id of one of your chats
# in Variables, both below.`;

const STREAM_HINT = `# Needs a token in Headers, below. Runs until you stop it or
# change to another tab: act from a second browser window.
# With $chatId, one chat only; without, all of yours.`;

const ME_AND_CHATS = `${TOKEN_HINT}
query MeAndChats {
  me {
    id
    name
    email
  }
  chats {
    id
    title
    unreadCount
    participants {
      id
      name
    }
    lastMessage {
      content
      createdAt
    }
  }
}
`;

const MESSAGE_FIELDS = `    id
    chatId
    sender {
      id
      name
    }
    content
    createdAt
    cursor`;

const CHATS_CHANGED = `# Needs a token in Headers, below. Runs until you stop it or
# change to another tab: act from a second browser window.
# The whole list comes first, then what has changed in it.
subscription ChatsChanged {
  chatsChanged {
    isSnapshot
    changed {
      id
      title
      unreadCount
      lastMessage {
        content
        createdAt
      }
    }
    removedIds
  }
}
`;

const READ_RECEIPT = `${STREAM_HINT}
# MarkChatRead in a second browser window makes one.
subscription ReadReceipt($chatId: ID) {
  readReceipt(chatId: $chatId) {
    id
    chatId
    messageId
    reader {
      id
      name
    }
    readAt
  }
}
`;

const MARK_CHAT_READ = `${CHAT_HINT}
# The others see it in ReadReceipt.
mutation MarkChatRead($chatId: ID!) {
  markChatRead(chatId: $chatId) {
    id
    readAt
  }
}
`;

const SEND_MESSAGE = `${CHAT_HINT}
# MessageAdded in a second browser window shows it arrive.
mutation SendMessage($chatId: ID!, $content: String!) {
  sendMessage(chatId: $chatId, content: $content) {
${MESSAGE_FIELDS}
  }
}
`;

const MESSAGE_ADDED = `${STREAM_HINT}
subscription MessageAdded($chatId: ID) {
  messageAdded(chatId: $chatId) {
${MESSAGE_FIELDS}
  }
}
`;

const SET_TYPING = `${CHAT_HINT}
# The others see it in TypingChanged; it stops by itself.
mutation SetTyping($chatId: ID!) {
  setTyping(chatId: $chatId, isTyping: true) {
    chatId
    user {
      id
      name
    }
    isTyping
  }
}
`;

const TYPING_CHANGED = `${STREAM_HINT}
# Who is typing now comes first.
subscription TypingChanged($chatId: ID) {
  typingChanged(chatId: $chatId) {
    chatId
    user {
      id
      name
    }
    isTyping
  }
}
`;

const PRESENCE_CHANGED = `${STREAM_HINT}
# Who is online now comes first.
subscription PresenceChanged($chatId: ID) {
  presenceChanged(chatId: $chatId) {
    user {
      id
      name
    }
    online
    lastSeenAt
  }
}
`;

/**
 * @param chatId the value of the variables that need a chat; empty, for the reader to fill in, where absent.
 */
export function exampleTabs(chatId = ""): readonly ExampleTab[] {
  return [
    { query: ME_AND_CHATS },
    { query: CHATS_CHANGED },
    { query: SEND_MESSAGE, variables: indented({ chatId, content: "Hello from GraphiQL" }) },
    { query: MESSAGE_ADDED },
    { query: MARK_CHAT_READ, variables: indented({ chatId }) },
    { query: READ_RECEIPT },
    { query: SET_TYPING, variables: indented({ chatId }) },
    { query: TYPING_CHANGED },
    { query: PRESENCE_CHANGED },
  ];
}

function indented(variables: object): string {
  return JSON.stringify(variables, null, 2);
}
