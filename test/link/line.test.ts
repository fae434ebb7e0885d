import { describe, expect, it } from 'vitest';
import { createLine } from '../../src/link/line.ts';
import type { Port } from '../../src/link/port.ts';

/** Two ports back to back, each of which delivers when it is told to. */
function ports() {
  const ends = [0, 1].map(() => ({ posted: [] as unknown[], take: (_value: unknown) => {} }));
  const portOf = (own: number): Port => ({
    post: (value) => ends[own]?.posted.push(value),
    onValue(take) {
      const end = ends[own];
      if (end !== undefined) end.take = take;
    },
  });
  const deliver = (from: number) => {
    for (const value of ends[from]?.posted.splice(0) ?? []) ends[1 - from]?.take(value);
  };
  return { one: portOf(0), other: portOf(1), posted: ends[0]?.posted ?? [], deliver };
}

/** The end of this turn of the event loop. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a line', () => {
  it('sends what is said in one turn at once, in order', async () => {
    const { one, other, posted, deliver } = ports();
    const taken: number[] = [];
    const line = createLine<number, never>(one, () => {});
    createLine<never, number>(other, (message) => taken.push(message));
    for (const message of [1, 2, 3]) line.send(message);
    expect(posted).toHaveLength(0);
    await turn();
    expect(posted).toHaveLength(1);
    deliver(0);
    expect(taken).toEqual([1, 2, 3]);
  });

  it('sends at once no more than is taken in half a millisecond, however much waits', async () => {
    const { one, other, posted } = ports();
    const line = createLine<number, never>(one, () => {});
    createLine<never, number>(other, () => {});
    for (let message = 0; message < 10_000; message++) line.send(message);
    await turn();
    const sent = (posted as [number[], number][]).flatMap(([messages]) => messages);
    expect(sent.length).toBeGreaterThan(0);
    expect(sent.length).toBeLessThanOrEqual(512);
  });

  it('sends no more to an end that takes nothing, up to a bound, and goes on when it does', async () => {
    const { one, other, posted, deliver } = ports();
    const taken: number[] = [];
    const line = createLine<number, never>(one, () => {});
    createLine<never, number>(other, (message) => taken.push(message));
    let said = 0;
    while (line.send(said)) {
      said++;
      if (said % 100 === 0) await turn();
    }
    expect(posted.length).toBeLessThan(10);
    expect(said).toBeLessThan(50_000);
    expect(line.waiting()).toBe(said);
    while (taken.length < said) {
      deliver(0);
      await turn();
      deliver(1);
      await turn();
    }
    deliver(1);
    expect(taken).toEqual(Array.from({ length: said }, (_, message) => message));
    expect(line.waiting()).toBe(0);
    expect(line.send(said)).toBe(true);
  });
});
