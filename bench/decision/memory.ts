import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { benchKeys } from '../common/keys.ts';
import { table } from './rounds.ts';
import { createSetting } from './setting.ts';

/** What a replica takes for each key that it remembers, the keys' use and limits left out. */
export async function measureMemory(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const rows = [['keys', 'bytes each', 'collection ms']];
  for (const keys of [100_000, 1_000_000]) {
    const secrets = benchKeys(keys, 1);
    collect();
    const before = process.memoryUsage();
    const setting = await createSetting({ keys, secrets });
    collect();
    const started = performance.now();
    collect();
    const tookMs = performance.now() - started;
    const after = process.memoryUsage();
    const bytes = after.heapUsed - before.heapUsed + after.external - before.external;
    rows.push([String(keys), (bytes / setting.keyring.size().keys).toFixed(0), tookMs.toFixed(0)]);
  }
  console.log(`Memory\n${table(rows)}\n`);
}
