/** Time as a connection sees it. */
export interface Clock {
  /** Milliseconds of a clock that is never set back. */
  now(): number;
  /** Calls once, `ms` from now; what is returned prevents it. Keeps no process alive. */
  after(ms: number, call: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, call) {
    const timer = setTimeout(call, ms).unref();
    return () => clearTimeout(timer);
  },
};
