import { fetchSchemas } from './schema-sources.ts';
import { hadolint, helm, promtool } from './tools.ts';

/** Finds or fetches what the checks need before any test's clock runs; fails with how to get what is missing. */
export default async function setup(): Promise<void> {
  // Fetched beside Helm, which keeps the processor busy and not the network.
  await Promise.all([helm(), promtool(), hadolint(), fetchSchemas()]);
}
