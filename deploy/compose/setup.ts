/** What docker-compose.yml needs before anything else starts: `node setup.ts SECRETS ENVOY MONGO REPLICA…`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { envoyConfig } from './envoy-config.ts';
import { makeSecrets } from './secrets.ts';

const [secretsFolder, envoyFolder, mongoHost, ...replicas] = process.argv.slice(2);
if (!secretsFolder || !envoyFolder || !mongoHost || replicas.length === 0) {
  throw new Error('expected: node setup.ts SECRETS ENVOY MONGO REPLICA…');
}
makeSecrets(secretsFolder, mongoHost);
const shipped = readFileSync(new URL('../envoy/envoy.yaml', import.meta.url), 'utf8');
writeFileSync(join(envoyFolder, 'envoy.yaml'), envoyConfig(shipped, replicas), { mode: 0o644 });
