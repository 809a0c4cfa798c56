/** Unique, and longer than 16 characters; `crypto.randomUUID` exists on secure pages alone. */
export function uniqueId() {
    return `${Math.random()}${Math.random()}`;
}
//# sourceMappingURL=id.js.map