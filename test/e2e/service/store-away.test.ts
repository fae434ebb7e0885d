import { expect, it, onTestFinished } from 'vitest';
import { freshDatabase, startStandalone } from '../../real/mongod.ts';
import { until } from '../../real/until.ts';
import { type CheckAnswer, checkRequest, sendCheck } from '../check-client.ts';
import { startConfigured } from '../routes.ts';
import { makeKey } from '../stack.ts';
import { unknownKey } from '../unknown-key.ts';

it('a store that does not answer is waited for by one caller at a time; the others are told at once', async () => {
  const standalone = await startStandalone();
  onTestFinished(() => standalone.stop());
  const [member] = standalone.members;
  const { uri } = freshDatabase(`mongodb://127.0.0.1:${member?.port}`);
  const postern = await startConfigured('check: { store_timeout: 2s }\n', { POSTERN_STORE: uri });
  onTestFinished(() => postern.stop());
  const { key } = await makeKey(postern);
  const ask = async (presented: string): Promise<CheckAnswer & { readonly ms: number }> => {
    const { host, port } = postern.check;
    const began = performance.now();
    const answer = await sendCheck(`${host}:${port}`, checkRequest({ authorization: `Bearer ${presented}` }));
    return { ...answer, ms: performance.now() - began };
  };
  expect(await ask(key)).toMatchObject({ code: 0 });

  await member?.kill('SIGSTOP');
  const waited = await Promise.all(Array.from({ length: 10 }, () => ask(unknownKey())));
  expect(new Set(waited.map(({ code, reason }) => `${code} ${reason}`))).toEqual(new Set(['14 unavailable']));
  const opened = () =>
    postern.logLines().filter(({ msg }) => String(msg).startsWith('the store does not answer'));
  await until('the log says so', () => opened().length > 0);
  expect(opened()).toMatchObject([{ level: 40, circuit: 'reads' }]);

  const before = await operations(postern.url);
  const began = performance.now();
  const told = await Promise.all(Array.from({ length: 30 }, () => ask(unknownKey())));
  const probesMax = 2 + (performance.now() - began) / 500;
  expect(new Set(told.map(({ code, reason }) => `${code} ${reason}`))).toEqual(new Set(['14 unavailable']));
  const median = (answers: readonly { ms: number }[]) =>
    answers.map(({ ms }) => ms).toSorted((one, other) => one - other)[Math.floor(answers.length / 2)] ?? 0;
  expect(median(waited)).toBeGreaterThan(1_900);
  expect(median(told)).toBeLessThan(median(waited));
  expect((await operations(postern.url)) - before).toBeLessThan(probesMax);

  await member?.kill('SIGCONT');
  await until('the key is allowed again', async () => (await ask(key)).code === 0);
  await until('the log says so', () =>
    postern.logLines().some(({ msg, circuit }) => msg === 'the store answers again' && circuit === 'reads'),
  );
  await until('another is unknown', async () => (await ask(unknownKey())).reason === 'unknown');
});

/** How often the store was asked for a key. */
async function operations(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const [, count] = /_duration_seconds_count\{operation="find_key"\} (\d+)/.exec(text) ?? [];
  return Number(count);
}
