import { it, onTestFinished } from 'vitest';
import { createUsageFolding } from '../../../src/mongo/usage/folding.ts';
import { until } from '../../real/until.ts';

it('who has not the duty does what is given out, while its own use waits', async () => {
  const waiting = new Set(['one']);
  let shares = 3;
  const folding = createUsageFolding({
    batches: {
      findLeft: async (ids = []) => ids.find((id) => waiting.has(id)) ?? null,
      begin: async () => null,
      async end() {},
    },
    write: async () => {},
    closing: { step: async () => false },
    giving: { step: async () => ({ folds: 0, merges: 0 }) },
    work: { step: async () => shares > 0 && shares-- > 0 },
    duties: { claimDuty: async () => null },
    monotonic: () => 0,
    onError: () => {},
    everyMs: 1,
  });
  onTestFinished(() => folding.stop());
  folding.wake('one');
  await until('all that is given out is done', () => shares === 0);
});
