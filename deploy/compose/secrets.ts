import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The users of the images that read them. */
const users = { postern: 65532, mongo: 999, grafana: 472 };

/**
 * Makes the secrets of docker-compose.yml where they are missing, so that there is none that everybody knows; those
 * that are there stay. Each is a file that one user may read. `host` is MongoDB's, as its replica set names it.
 */
export function makeSecrets(folder: string, host: string): void {
  const password = () => randomBytes(32).toString('base64url');
  const storePassword = password();
  const store = `mongodb://postern:${storePassword}@${host}/postern?replicaSet=rs0&authSource=admin`;
  // The last one is put there last: with it, all of them are there.
  if (existsSync(join(folder, 'store'))) return;
  put(folder, 'admin-key', password(), users.postern);
  put(folder, 'grafana-password', password(), users.grafana);
  put(folder, 'mongo-keyfile', randomBytes(512).toString('base64'), users.mongo);
  put(folder, 'mongo-root-password', password(), users.mongo);
  put(folder, 'mongo-password', storePassword, users.mongo);
  put(folder, 'store', store, users.postern);
}

function put(folder: string, name: string, text: string, user: number): void {
  const path = join(folder, name);
  const partial = `${path}.new`;
  // One that an interrupted start has left may not be readable by now.
  rmSync(partial, { force: true });
  writeFileSync(partial, text, { mode: 0o400 });
  if (process.getuid?.() === 0) chownSync(partial, user, user);
  renameSync(partial, path);
}
