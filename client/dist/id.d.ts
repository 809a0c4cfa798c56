/** Unique enough for an operation or a message; `crypto.randomUUID` exists on secure pages alone. */
export declare function uniqueId(): string;
