import { expect, it, onTestFinished } from 'vitest';
import { modelMutants } from '../broken.ts';
import { buildMutant } from '../mutant.ts';
import { runModel } from './keyring-model.ts';

it('memory is never behind what it was told, nor behind the staleness bound, in any order of events', {
  timeout: 600_000,
}, async () => {
  const { failure, answers } = await runModel({ seed: 1, schedules: 10_000 });
  expect(failure).toBe(null);
  expect(answers).toBeGreaterThan(50_000);
});

it('the model makes the same schedules of a seed again', async () => {
  const [one, other] = await Promise.all([1, 2].map(() => runModel({ seed: 7, schedules: 50 })));
  expect(one).toEqual(other);
});

it.each(modelMutants)('the model finds out where $title', async (mutant) => {
  const { root, remove } = await buildMutant(mutant);
  onTestFinished(remove);
  const { failure } = await runModel({ seed: 1, ...mutant, root });
  expect(failure?.what).toEqual(expect.any(String));
});

it('a mutant whose patch does not apply any more is an error', async () => {
  const mutant = { title: 'gone', file: 'src/cache/shared-reads.ts', find: 'not in there', replace: '' };
  await expect(buildMutant(mutant)).rejects.toThrow('0 times in src/cache/shared-reads.ts');
});
