import { expect, it } from 'vitest';
import { createRecollection } from '../../src/console/recollection.ts';

/** Answers are numbered; each comes when it is let go. */
function startRecalling() {
  const clock = { now: Date.UTC(2031, 0, 31) };
  const asked: { readonly path: string; answer(): void; refuse(error: Error): void }[] = [];
  const recollection = createRecollection(() => clock.now);
  const api = {
    call<T>(_: string, path: string): Promise<T> {
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      const number = asked.length + 1;
      asked.push({ path, answer: () => resolve(number as T), refuse: reject });
      return promise;
    },
  };
  return { clock, asked, by: (name: string) => recollection.by(name, api) };
}

it('shows what takes long once it is there, and until then that it is not', async () => {
  const { clock, asked, by } = startRecalling();
  const ask = by('ops');
  expect(await ask('usage')).toEqual({ value: null, asOf: null });
  expect(await ask('usage')).toEqual({ value: null, asOf: null });
  expect(asked).toHaveLength(1);
  asked[0]?.answer();
  expect(await ask('usage')).toEqual({ value: 1, asOf: clock.now });
});

it('shows the last answer with its time while the next is on its way, and none that is too old', async () => {
  const { clock, asked, by } = startRecalling();
  const ask = by('ops');
  const first = ask('usage');
  asked[0]?.answer();
  const at = clock.now;
  expect(await first).toEqual({ value: 1, asOf: at });
  clock.now += 30_000;
  expect(await ask('usage')).toEqual({ value: 1, asOf: at });
  expect(asked).toHaveLength(1);
  clock.now += 1;
  expect(await ask('usage')).toEqual({ value: 1, asOf: at });
  expect(asked).toHaveLength(2);
  clock.now += 15 * 60_000;
  expect(await ask('usage')).toEqual({ value: null, asOf: null });
  expect(asked).toHaveLength(2);
});

it('shows nobody what another was answered', async () => {
  const { asked, by } = startRecalling();
  const one = by('one')('usage');
  const other = by('other')('usage');
  asked[0]?.answer();
  asked[1]?.answer();
  expect([(await one).value, (await other).value]).toEqual([1, 2]);
});

it('forgets what was answered before to who is refused now', async () => {
  const { clock, asked, by } = startRecalling();
  const ask = by('ops');
  const first = ask('usage');
  asked[0]?.answer();
  await first;
  clock.now += 60_000;
  const second = ask('usage');
  asked[1]?.refuse(new Error('no longer'));
  await expect(second).rejects.toThrow('no longer');
  const third = ask('usage');
  asked[2]?.answer();
  expect((await third).value).toBe(3);
});
