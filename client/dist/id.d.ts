/** Unique, and longer than 16 characters; `crypto.randomUUID` exists on secure pages alone. */
export declare function uniqueId(): string;
