/** Work that is done again and again, one round after another. */
export interface RepeatedWork {
  /** The first round is at once. */
  start(): void;
  /** Resolves when the round that is under way is over; there is none after it. */
  stop(): Promise<void>;
}

/** What a round throws goes to `onError`, and the next is made none the less. */
export function repeatWork(
  work: () => Promise<void>,
  onError: (error: unknown) => void,
  { everyMs }: { readonly everyMs: number },
): RepeatedWork {
  let timer: NodeJS.Timeout | null = null;
  let round: Promise<void> | null = null;

  const begin = () => {
    round ??= work()
      .catch(onError)
      .finally(() => {
        round = null;
      });
  };
  return {
    start() {
      if (timer !== null) return;
      timer = setInterval(begin, everyMs).unref();
      begin();
    },
    async stop() {
      if (timer !== null) clearInterval(timer);
      timer = null;
      await round;
    },
  };
}
