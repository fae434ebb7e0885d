import { findFirefox } from '../real/firefox.ts';
import { fetchSchemas } from './schema-sources.ts';
import {
  actionlint,
  goGenerators,
  grpcForPython,
  hadolint,
  helm,
  kubernetes,
  promtool,
  registry,
  terraform,
  zizmor,
} from './tools.ts';

/** Finds or fetches what the checks need before any test's clock runs; fails with how to get what is missing. */
export default async function setup(): Promise<void> {
  // Fetched beside Helm, which keeps the processor busy and not the network.
  await Promise.all([
    compiled(),
    promtool(),
    hadolint(),
    zizmor(),
    grpcForPython(),
    findFirefox(),
    fetchSchemas(),
  ]);
}

/** One after another: each keeps all processors busy by itself. */
async function compiled(): Promise<void> {
  await helm();
  await actionlint();
  await registry();
  await goGenerators();
  await terraform();
  await kubernetes();
}
