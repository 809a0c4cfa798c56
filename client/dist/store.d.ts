/** A value that can be read at any time, and that says when it has changed. Both functions may be used without their object. */
export interface Store<T> {
    /** The same object until the value changes. */
    readonly get: () => T;
    /** Calls `listener` once for all changes of a turn. The result ends that. */
    readonly subscribe: (listener: () => void) => () => void;
}
/** A store whose value is computed when somebody asks for it after a change. */
export interface Derived<T> extends Store<T> {
    readonly changed: () => void;
}
export declare function derived<T>(compute: () => T): Derived<T>;
/** Adds an item, or removes it. */
export declare function toggle<T extends {
    readonly id: string;
}>(items: Map<string, T>, item: T, isPart: boolean): void;
