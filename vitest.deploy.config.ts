import { defineConfig } from 'vitest/config';

/** The checks of what is deployed, `npm run check:deploy`: they need tools and schemas that the main suite does not. */
export default defineConfig({
  test: {
    include: ['test/deploy/**/*.test.ts'],
    globalSetup: ['test/real/global-setup.ts', 'test/deploy/global-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 120_000 } },
    // The file is what .ci/run counts from.
    reporters: ['default', 'json'],
    outputFile: { json: '.cache/vitest-deploy.json' },
  },
});
