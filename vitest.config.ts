import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // These have a run of their own, vitest.deploy.config.ts.
    exclude: ['test/deploy/**'],
    globalSetup: ['test/real/global-setup.ts'],
    pool: 'forks',
    // Files share what they import: reading it anew for each took a quarter of the suite's processor time.
    isolate: false,
    // Real MongoDBs, Envoys and Chromiums run beside the tests: with three workers an election once came too late.
    maxWorkers: 2,
    // Deadlines for what hangs, not for what is slow: a busy machine is no failure.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 60_000 } },
    // The file is what .ci/run counts from.
    reporters: ['default', 'json'],
    outputFile: { json: '.cache/vitest.json' },
  },
});
