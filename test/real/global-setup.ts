import type { TestProject } from 'vitest/node';
import { findEnvoy } from './binary.ts';
import { findChromium } from './chromium.ts';
import { startReplicaSet } from './mongod.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A replica set of one member, for the whole run; take a `freshDatabase` of it. */
    mongoUri: string;
  }
}

/** Fetches what is missing before any test's clock runs, and starts the replica set that all of them share. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [mongo] = await Promise.all([startReplicaSet(), findEnvoy(), findChromium()]);
  project.provide('mongoUri', mongo.uri);
  return mongo.stop;
}
