import { expect, inject, it, onTestFinished } from 'vitest';
import { freshDatabase } from '../../real/mongod.ts';
import type { Postern } from '../../real/postern.ts';
import { checkRequest, sendCheck } from '../check-client.ts';
import { startConfigured } from '../routes.ts';
import { makeKey } from '../stack.ts';

it.each([10, 60])('three replicas together admit a limit of %i an hour, and no more', async (limit) => {
  const { uri } = freshDatabase(inject('mongoUri'));
  const replicas = await Promise.all(
    [1, 2, 3].map(() => startConfigured('limits_when_unavailable: deny\n', { POSTERN_STORE: uri })),
  );
  onTestFinished(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
  });
  const { key } = await makeKey(replicas[0] as Postern, { rate_limit: { limit, window: '1h' } });
  const codes: number[] = [];
  const callers = replicas.flatMap((replica) =>
    Array.from({ length: 3 }, async () => {
      for (let sent = 0; sent < limit; sent++) codes.push(await ask(replica, key));
    }),
  );
  await Promise.all(callers);
  const admitted = codes.filter((code) => code === 0).length;
  expect(codes).toHaveLength(9 * limit);
  expect(admitted).toBe(limit);
});

async function ask({ check }: Postern, key: string): Promise<number> {
  const request = checkRequest({ authorization: `Bearer ${key}` });
  return (await sendCheck(`${check.host}:${check.port}`, request)).code;
}
