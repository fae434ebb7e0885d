/**
 * Makes one call for all who ask before it begins: a call that is under way may be older than what one who
 * asks now wants to be covered by it, so the next begins when it ends.
 */
export function createCoalesced<T>(call: () => Promise<T>): () => Promise<T> {
  /** Ends when no call is under way. */
  let underWay: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | null = null;

  return () => {
    if (next !== null) return next;
    const begun = underWay.then(() => {
      next = null;
      return call();
    });
    next = begun;
    underWay = begun.catch(() => {});
    return begun;
  };
}
