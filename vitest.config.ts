import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * The longest first: the last to begin is not to be one that all others are done before. Those that start three members
 * of a replica set (fleet-faults, run, failover, diagnosis) begin apart: leases and elections want a share of the machine.
 */
const longest = [
  'e2e/fleet/fleet-faults',
  'browser/pages',
  'mongo/store',
  'docs/walks',
  'browser/safety',
  'browser/errands-keyboard',
  'browser/states',
  'browser/vendors',
  'torture/run',
  'torture/checks/keyring-model',
  'e2e/service/trouble',
  'mongo/faults/outage',
  'e2e/fleet/rolling-restart',
  'e2e/fleet/processes',
  'e2e/keys/peppers',
  'mongo/faults/failover',
  'mongo/transactions',
  'browser/errands',
  'admin-model/mongo',
  'mongo/feed/relays',
  'e2e/service/start',
  'mongo/diagnosis',
  'mongo/usage/open-use',
  'mongo/usage/owner-use',
  'mongo/usage/usage-closing',
  'mongo/events',
  'e2e/keys/usage',
  'e2e/fleet/fleet-limits',
  'browser/answers',
  'sqlite/store',
  'e2e/service/events',
  'e2e/envoy/verdicts',
  'e2e/keys/import',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = longest.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return at === -1 ? longest.length : at;
    };
    return (await super.sort(files)).toSorted((one, other) => place(one) - place(other));
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // These have a run of their own, vitest.deploy.config.ts.
    exclude: ['test/deploy/**'],
    globalSetup: ['test/real/global-setup.ts'],
    setupFiles: ['test/seed.ts'],
    pool: 'forks',
    // Files share what they import: reading it anew for each took a quarter of the suite's processor time.
    isolate: false,
    // Node reads TypeScript itself: what Vite made of it took a fifth of the processor time of files that start nothing.
    experimental: { viteModuleRunner: false },
    // Files wait more than they compute, for starts, elections and leases. More than four would keep the MongoDBs, Envoys
    // and Chromiums beside them waiting; VITEST_MAX_WORKERS sets another number.
    maxWorkers: 2 * Math.min(2, availableParallelism()),
    sequence: { sequencer: LongestFirst },
    // Deadlines for what hangs, not for what is slow: a busy machine is no failure.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 120_000 } },
    // The file is what .ci/run counts from.
    reporters: ['default', 'json'],
    outputFile: { json: '.cache/vitest.json' },
  },
});
