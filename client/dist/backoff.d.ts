/** Milliseconds before the next attempt: full jitter, so that those who lost their connection together do not return together. */
export declare function backoffMs(failures: number): number;
