import fc from 'fast-check';

/**
 * Properties are tried with the same cases in each run, so that a run fails for what was changed since the last.
 * `POSTERN_TEST_SEED=random` tries others, and a number those of the run that named it.
 */
const { POSTERN_TEST_SEED: given = '1' } = process.env;
export const seed = given === 'random' ? Date.now() % 1_000_000_000 : Number(given);

fc.configureGlobal({ seed });
