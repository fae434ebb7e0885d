export interface GatheredOptions {
  /** Calls that are under way at once; who asks meanwhile waits, and shares the next one. */
  readonly underWayMax: number;
  /** Askers of one call. */
  readonly askedMax: number;
}

interface Asker<Q, A> {
  readonly question: Q;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Asks for many at once what each asks by itself: all of one turn of the event loop, and all who come while others are
 * under way. No answer is older than its question, since the call begins after it. The answers come in the order of the
 * questions; an Error among them is for its asker alone.
 */
export function createGathered<Q, A>(
  askAll: (questions: readonly Q[]) => Promise<readonly (A | Error)[]>,
  { underWayMax, askedMax }: GatheredOptions,
): (question: Q) => Promise<A> {
  const waiting: Asker<Q, A>[] = [];
  let underWay = 0;
  let isDue = false;

  function askSoon(): void {
    if (isDue || waiting.length === 0 || underWay >= underWayMax) return;
    isDue = true;
    setImmediate(() => {
      isDue = false;
      void askTogether(waiting.splice(0, askedMax));
      askSoon();
    });
  }

  async function askTogether(askers: readonly Asker<Q, A>[]): Promise<void> {
    underWay++;
    try {
      const answers = await askAll(askers.map(({ question }) => question));
      for (const [place, { resolve, reject }] of askers.entries()) {
        const answer = answers[place] as A | Error;
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      }
    } catch (error) {
      for (const { reject } of askers) reject(error);
    } finally {
      underWay--;
      askSoon();
    }
  }

  return (question) => {
    const { promise, resolve, reject } = Promise.withResolvers<A>();
    waiting.push({ question, resolve, reject });
    askSoon();
    return promise;
  };
}
