/** By then it is too late. */
const LAST_MS = 1000;
/** A timer of more than 24 days would fire at once. */
const LONGEST_TIMER_MS = 86_400_000;
/**
 * While there is a connection, gets the next token before the current one expires: after half of the time that is left,
 * and again while there is no other.
 */
export function tokenSource(session, source) {
    let current;
    /** What the session goes on with: a newer token that did not reach the gateway is not refused with it. */
    let used;
    let refused;
    let timer;
    const next = async () => {
        const token = await (typeof source === "function" ? source() : source);
        if (!token || token === refused)
            return false;
        current = token;
        return true;
    };
    const watch = () => {
        clearTimeout(timer);
        const watched = current;
        const leftMs = expiryOf(watched) - Date.now();
        const renew = async () => {
            // Whatever goes wrong here, the session ends with its token, and the next connect asks again.
            await next().catch(() => undefined);
            const token = current;
            if (token !== watched)
                session.run("mutation($token:String!){refreshToken(token:$token){id}}", { token }, 0).then(() => (used = token), () => undefined);
            watch();
        };
        if (session.socket && leftMs > LAST_MS)
            timer = setTimeout(renew, Math.min(leftMs / 2, LONGEST_TIMER_MS));
    };
    session.listeners.add(watch);
    return {
        use: () => (used = current),
        next,
        refuse: () => (refused = used),
    };
}
/** In ms since 1970; NaN where the token is no JWT or never expires. */
function expiryOf(token) {
    try {
        const claims = token.split(".")[1];
        // "-" stands for "+". Read as "/" it changes texts among the claims, but no number.
        return JSON.parse(atob(claims.replace(/[-_]/g, "/"))).exp * 1000;
    }
    catch {
        return NaN;
    }
}
//# sourceMappingURL=token.js.map