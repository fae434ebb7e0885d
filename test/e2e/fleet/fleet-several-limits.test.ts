import { expect, inject, it, onTestFinished } from 'vitest';
import { freshDatabase } from '../../real/mongod.ts';
import type { Postern } from '../../real/postern.ts';
import { clockAhead } from '../../real/set-clock.ts';
import { until } from '../../real/until.ts';
import { checkRequest, openCheckClient, sendCheck } from '../check-client.ts';
import { startConfigured } from '../routes.ts';
import { admin, makeKey } from '../stack.ts';

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
/** All clocks stand at about noon, so that no hour, day or month ends while the test runs. */
const noonAheadMs = day - ((Date.now() + day - 12 * hour - 15 * minute) % day);
/** Each is off by so much, beside. */
const clocksOffMs = [0, 20 * minute, -10 * minute];

const limits = { hourly: 160, budget: 150, monthly: 440 };
const hourly = { name: 'hourly', limit: limits.hourly, window: '1h' };
const monthly = { name: 'monthly', limit: limits.monthly, period: 'month', shared_by: 'owner' };

it('of three limits at once none is exceeded and nineteen twentieths of each are admitted, by three replicas whose clocks differ and of which one dies', {
  timeout: 600_000,
}, async () => {
  const replicas = await startReplicas();
  const [first, , last] = replicas as [Postern, Postern, Postern];
  const make = async (name: string, budget: number) => {
    const rate_limits = [hourly, { name: 'budget', limit: budget, period: 'total' }, monthly];
    const { id, key } = await makeKey(first, { name, owner: 'acme', rate_limits });
    return { id, ...demandOn(key) };
  };
  // Of each key another limit is the first to be exhausted.
  const [byHour, byBudget, byMonth] = await Promise.all([
    make('by the hour', 100_000),
    make('by its budget', limits.budget),
    make('by the month', 100_000),
  ]);

  const all = [byHour, byBudget].flatMap((demand) => replicas.map((replica) => demand.from(replica)));
  await until('half of both are spent', () => byHour.admitted() >= 80 && byBudget.admitted() >= 75);
  await last.kill('SIGKILL');
  await until(
    () => `most of both is admitted: ${byHour.admitted()}, ${byBudget.admitted()}`,
    () => byHour.admitted() >= 0.95 * limits.hourly && byBudget.admitted() >= 0.95 * limits.budget,
  );
  const shared = replicas.map((replica) => byMonth.from(replica));
  const sum = () => byHour.admitted() + byBudget.admitted() + byMonth.admitted();
  await until(
    () => `most of the month is admitted: ${sum()}`,
    () => sum() >= 0.95 * limits.monthly,
  );
  // There is demand for more, of which nothing passes that may not.
  for (const demand of [byHour, byBudget, byMonth]) await demand.go(100);
  await Promise.all([...all, ...shared]);

  expect(byHour.admitted()).toBeLessThanOrEqual(limits.hourly);
  expect(byBudget.admitted()).toBeLessThanOrEqual(limits.budget);
  expect(sum()).toBeLessThanOrEqual(limits.monthly);
  const { data } = (await admin(first, 'GET', `/admin/api-keys/${byMonth.id}/limits`)) as {
    data: { name: string; used: number }[];
  };
  const used = data.find(({ name }) => name === 'monthly')?.used ?? 0;
  expect(used).toBeGreaterThanOrEqual(sum());
  expect(used).toBeLessThanOrEqual(limits.monthly);
});

async function startReplicas(): Promise<readonly Postern[]> {
  const { uri } = freshDatabase(inject('mongoUri'));
  const replicas = await Promise.all(
    clocksOffMs.map((offMs) =>
      startConfigured('limits_when_unavailable: deny\n', {
        POSTERN_STORE: uri,
        ...clockAhead(noonAheadMs + offMs),
      }),
    ),
  );
  onTestFinished(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
  });
  const [first] = replicas as [Postern];
  // The threads that answer Checks have these clocks, too: this key has expired on the one that is ahead alone.
  const expires_at = new Date(Date.now() + noonAheadMs + 10 * minute).toISOString();
  const { key } = await makeKey(first, { expires_at });
  expect(await Promise.all(replicas.map((replica) => ask(replica, key)))).toEqual([
    'allowed',
    'expired',
    'allowed',
  ]);
  return replicas;
}

/** Clients that ask with one key until they are told how often still. */
function demandOn(key: string) {
  let admitted = 0;
  let asked = 0;
  let end = Number.POSITIVE_INFINITY;
  async function askOn(replica: Postern): Promise<void> {
    const client = openCheckClient(`${replica.check.host}:${replica.check.port}`);
    while (asked < end) {
      const answer = await client.send(checkRequest({ authorization: `Bearer ${key}` })).catch(() => null);
      asked++;
      // The replica is gone.
      if (answer === null) break;
      if (answer.code === 0) admitted++;
      // A machine that is very slow may keep the store from answering in time: then nobody passes.
      else expect(['rate_limited', 'unavailable']).toContain(answer.reason);
    }
    client.close();
  }
  return {
    /** Two clients of this replica. */
    from: (replica: Postern) => Promise.all([askOn(replica), askOn(replica)]),
    admitted: () => admitted,
    async go(more: number) {
      end = asked + more;
      await until('they have asked', () => asked >= end);
    },
  };
}

async function ask({ check }: Postern, key: string): Promise<unknown> {
  const request = checkRequest({ authorization: `Bearer ${key}` });
  const { code, reason } = await sendCheck(`${check.host}:${check.port}`, request);
  return code === 0 ? 'allowed' : reason;
}
