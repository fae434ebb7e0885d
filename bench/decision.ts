// What one Check costs from bytes to bytes, without any transport: see README.md.
import { parseArgs } from 'node:util';
import { measureCases } from './decision/cases.ts';
import { measureGrowth } from './decision/growth.ts';
import { measureMemory } from './decision/memory.ts';

const usage = `usage: node bench/decision.ts [options]
  --only LIST        cases, growth, memory (cases,growth)
  --case TEXT        of the cases and of what grows, those with this in their name
  --rounds N         measured rounds of each case (7)
  --checks N         Checks in a round (100000)
  --keys N           keys in memory (100000)`;

try {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: 'cases,growth' },
      case: { type: 'string', default: '' },
      rounds: { type: 'string', default: '7' },
      checks: { type: 'string', default: '100000' },
      keys: { type: 'string', default: '100000' },
    },
  });
  const bounds = { rounds: Number(values.rounds), checks: Number(values.checks), keys: Number(values.keys) };
  if (!Object.values(bounds).every((bound) => Number.isInteger(bound) && bound > 0))
    throw new Error('expected whole numbers, 1 or more');
  const parts = values.only.split(',');
  if (parts.includes('cases')) await measureCases(bounds, values.case);
  if (parts.includes('growth')) await measureGrowth(bounds, values.case);
  if (parts.includes('memory')) await measureMemory();
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
  process.exitCode = 2;
}
