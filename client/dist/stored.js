export function storedMessages(storage) {
    /** What this client has stored, or found. */
    const keys = new Set();
    /** Empty until the gateway has said who is signed in. */
    let storageKey = "";
    const load = () => {
        try {
            return JSON.parse(storage?.getItem(storageKey)) ?? [];
        }
        catch {
            // There is no storage, it is forbidden, or something else is stored there.
            return [];
        }
    };
    return {
        welcome(userId, messages) {
            const before = storageKey;
            storageKey = `graphql-chat-client:${userId}`;
            if (storageKey === before)
                return messages;
            return before ? load() : load().concat(messages);
        },
        /** Leaves alone what other tabs of the browser have stored. */
        save(messages) {
            if (!storageKey)
                return;
            messages.forEach((message) => keys.add(message.key));
            try {
                storage?.setItem(storageKey, JSON.stringify(load()
                    .filter((message) => !keys.has(message.key))
                    .concat(messages.filter((message) => message.state !== "sent"))));
            }
            catch {
                // A full or forbidden storage: the message is sent all the same, as long as the page lives.
            }
        },
    };
}
//# sourceMappingURL=stored.js.map