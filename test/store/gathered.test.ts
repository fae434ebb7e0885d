import { describe, expect, it } from 'vitest';
import { createGathered } from '../../src/store/gathered.ts';

/** Answers each question with itself, when it is let, and tells what was asked together. */
function createAsked() {
  const calls: { readonly questions: readonly string[]; readonly answer: () => void }[] = [];
  const askAll = (questions: readonly string[]) =>
    new Promise<readonly (string | Error)[]>((resolve, reject) => {
      const answers = questions.map((each) => (each === 'bad' ? new Error('a bad one') : each.toUpperCase()));
      const answer = () => (questions.includes('broken') ? reject(new Error('broken')) : resolve(answers));
      calls.push({ questions, answer });
    });
  return { calls, askAll };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a gathered call', () => {
  it('asks once for all that is asked in one turn, and answers each what it asked', async () => {
    const { calls, askAll } = createAsked();
    const ask = createGathered(askAll, { underWayMax: 1, askedMax: 10 });
    const answers = Promise.all(['a', 'b', 'a'].map(ask));
    await turn();
    expect(calls.map(({ questions }) => questions)).toEqual([['a', 'b', 'a']]);
    calls[0]?.answer();
    expect(await answers).toEqual(['A', 'B', 'A']);
  });

  it('answers nobody by a call that had begun before the question', async () => {
    const { calls, askAll } = createAsked();
    const ask = createGathered(askAll, { underWayMax: 1, askedMax: 10 });
    const first = ask('a');
    await turn();
    const second = ask('a');
    await turn();
    expect(calls).toHaveLength(1);
    calls[0]?.answer();
    expect(await first).toBe('A');
    await turn();
    expect(calls).toHaveLength(2);
    calls[1]?.answer();
    expect(await second).toBe('A');
  });

  it('asks for no more at once, and in no more calls, than it may', async () => {
    const { calls, askAll } = createAsked();
    const ask = createGathered(askAll, { underWayMax: 2, askedMax: 2 });
    const answers = Promise.all(['a', 'b', 'c', 'd', 'e'].map(ask));
    for (let turns = 0; turns < 4; turns++) await turn();
    expect(calls.map(({ questions }) => questions)).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    for (const { answer } of calls) answer();
    await turn();
    await turn();
    calls[2]?.answer();
    expect(await answers).toEqual(['A', 'B', 'C', 'D', 'E']);
  });

  it('refuses one alone where its answer is an error, and all where the call fails', async () => {
    const { calls, askAll } = createAsked();
    const ask = createGathered(askAll, { underWayMax: 2, askedMax: 2 });
    const answers = Promise.allSettled(['a', 'bad', 'b', 'broken'].map(ask));
    for (let turns = 0; turns < 3; turns++) await turn();
    for (const { answer } of calls) answer();
    expect((await answers).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
    ]);
  });
});
