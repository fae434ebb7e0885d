import { createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runModel } from './checks/keyring-model.ts';
import { buildMutant } from './mutant.ts';
import { fewAreMany } from './relayed.ts';
import { readNumbers, report } from './report.ts';
import { run } from './run.ts';

// The long form: `npm run torture -- --seed 7 --revocations 10000 --minutes 10`; `--processes 2` on MongoDB, or with
// `--sqlite 1` on a SQLite file; `--relayed 1` has relays read the change stream as in a large fleet. Exit code 1 for a violation.
const defaults = {
  seed: Date.now() % 1_000_000,
  revocations: 10_000,
  minutes: 30,
  /** The staleness bound, in milliseconds. */
  staleness: 3_000,
  /** Revocations that are timed in the healthy fleet. */
  timed: 200,
  /** Of the model of memory. */
  schedules: 1_000_000,
  /** Of each service, that answer Checks. */
  processes: 1,
  /** Whether one service on a SQLite file, not three on MongoDB: 1 or 0. */
  sqlite: 0,
  relayed: 0,
};
const { seed, revocations, minutes, staleness, timed, schedules, processes, sqlite, relayed, history } =
  readNumbers(process.argv.slice(2), defaults);
const file = history ?? join(tmpdir(), `postern-torture-${seed}.jsonl`);
const lines = createWriteStream(file);
process.stdout.write(`seed ${seed}; the history goes to ${file}\n`);

const copy = relayed !== 1 ? null : await buildMutant({ title: 'a fleet of two is large', ...fewAreMany });
const result = await run({
  ...(copy !== null && { root: copy.root }),
  ...{ processes, store: sqlite === 1 ? 'sqlite' : 'mongodb' },
  ...{ seed, revocations, msMax: minutes * 60_000, stalenessMaxMs: staleness, timed, calmMs: 10_000 },
  onRecord: (record) => void lines.write(`${JSON.stringify(record)}\n`),
  onProgress({ revocations: done, ms }) {
    if (process.stderr.isTTY) process.stderr.write(`\r${(ms / 1_000).toFixed(0)} s, ${done} keys revoked `);
  },
});
lines.end();
await copy?.remove();
process.stdout.write(`${report(result)}\n`);

const began = performance.now();
const { answers, failure, schedules: made } = await runModel({ seed, schedules });
const seconds = ((performance.now() - began) / 1_000).toFixed(0);
process.stdout.write(`model of memory: ${made} schedules, ${answers} answers, ${seconds} s\n`);
if (failure !== null) {
  const { schedule, what, steps } = failure;
  process.stdout.write(`  schedule ${schedule}: ${what}\n${steps.map((step) => `    ${step}`).join('\n')}\n`);
}
process.exitCode = result.violations.length === 0 && failure === null ? 0 : 1;
