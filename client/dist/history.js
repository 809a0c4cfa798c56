import { PAGE } from "./wire.js";
/** The newest messages, or the newest before a cursor. Rejects with a `Failure`. */
export async function loadPage(connection, id, last, before) {
    const variables = { id, last, before };
    const { chat } = await connection.run(PAGE, variables);
    const { nodes, pageInfo } = chat.messages;
    return { nodes, start: pageInfo.hasPreviousPage ? nodes[0]?.cursor : undefined };
}
//# sourceMappingURL=history.js.map