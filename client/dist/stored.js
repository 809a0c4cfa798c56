const PREFIX = "graphql-chat-client:";
export function storedMessages(storage) {
    /** What this client has stored, or found. */
    const keys = new Set();
    /** Whose stored messages are here. */
    let owner = "";
    const load = () => JSON.parse(storage?.getItem(PREFIX + owner) ?? "[]");
    return {
        welcome(userId, messages) {
            if (owner === userId)
                return messages;
            const here = owner ? [] : messages;
            owner = userId;
            const stored = load();
            // The page may have gone while it sent one.
            stored.forEach((message) => {
                if (message.state !== "failed")
                    message.state = "queued";
            });
            return stored.concat(here);
        },
        /** Leaves alone what other tabs of the browser have stored. */
        save(messages) {
            if (!owner)
                return;
            messages.forEach((message) => keys.add(message.key));
            try {
                storage?.setItem(PREFIX + owner, JSON.stringify([
                    ...load().filter((message) => !keys.has(message.key)),
                    ...messages.filter((message) => message.state !== "sent"),
                ]));
            }
            catch {
                // A full or forbidden storage: the message is sent all the same, as long as the page lives.
            }
        },
    };
}
//# sourceMappingURL=stored.js.map