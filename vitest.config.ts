import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Of half a minute and more, the longest first: the last to begin is not to be one that all others are done before. */
const longest = [
  'e2e/fleet-faults',
  'mongo/store',
  'docs/walks',
  'e2e/rolling-restart',
  'torture/run',
  'browser/pages',
  'e2e/trouble',
  'mongo/failover',
  'mongo/outage',
  'e2e/peppers',
  'browser/safety',
  'mongo/diagnosis',
  'mongo/relays',
  'e2e/events',
  'torture/keyring-model',
  'admin-model/mongo',
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
    // Real MongoDBs, Envoys and Chromiums run beside the tests: with three workers an election once came too late.
    maxWorkers: 2,
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
