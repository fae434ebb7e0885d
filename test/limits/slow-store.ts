import { createUnitLedger } from './unit-ledger.ts';

/** Places for {@link createSlowStore} until nothing waits any more. */
export const untilIdle: readonly number[] = Array.from({ length: 500 }, () => 0);

/** A store that does each thing that it is asked, and then answers, when and in the order in which it is told to. */
export function createSlowStore(ledger = createUnitLedger()) {
  const waiting: (() => void)[] = [];
  const turn = () => new Promise<void>((resolve) => waiting.push(resolve));
  const slow = <Asked, Answer>(call: (asked: Asked) => Promise<Answer>) => {
    return async (asked: Asked): Promise<Answer> => {
      await turn();
      const answer = await call(asked);
      await turn();
      return answer;
    };
  };
  return {
    leaseUnits: slow(ledger.leaseUnits),
    returnUnits: slow(ledger.returnUnits),
    async goOn(places: readonly number[]): Promise<void> {
      for (const place of places) {
        // What follows from what was answered before is asked for first.
        await new Promise((resolve) => setImmediate(resolve));
        if (waiting.length === 0) return;
        const [go] = waiting.splice(place % waiting.length, 1);
        go?.();
      }
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
