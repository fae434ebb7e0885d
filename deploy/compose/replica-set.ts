/**
 * Makes one mongod with a key file a replica set with Postern's user: `node replica-set.ts PORT MEMBER SECRETS`, on
 * mongod's own loopback, where it lets the first user be made. Done once, it finds nothing to do.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { MongoClient, MongoServerError } from 'mongodb';

const deadlineMs = 60_000;
const everyMs = 500;
const codes = { authenticationFailed: 18, unauthorized: 13, alreadyInitialized: 23, userExists: 51_003 };

const [port, member, secrets] = process.argv.slice(2);
if (!port || !member || !secrets) throw new Error('expected: node replica-set.ts PORT MEMBER SECRETS');
const secret = (name: string) => readFileSync(join(secrets, name), 'utf8');

const deadline = performance.now() + deadlineMs;
await initiate();
await createRoot();
await createPosternUser();
process.stdout.write('MongoDB is a replica set, and has a user for Postern.\n');

async function initiate(): Promise<void> {
  await asked(null, async (client) => {
    const { setName } = await client.db('admin').command({ hello: 1 });
    if (setName) return;
    const config = { _id: 'rs0', members: [{ _id: 0, host: member }] };
    await client.db('admin').command({ replSetInitiate: config }).catch(unless(codes.alreadyInitialized));
  });
  await asked(null, async (client) => {
    const { isWritablePrimary } = await client.db('admin').command({ hello: 1 });
    if (!isWritablePrimary) throw new Error('there is no primary yet');
  });
}

/** Where there is a user already, mongod allows nobody without a login. */
async function createRoot(): Promise<void> {
  const root = { createUser: 'root', pwd: secret('mongo-root-password'), roles: ['root'] };
  await asked(null, async (client) => {
    await client.db('admin').command(root).catch(unless(codes.unauthorized, codes.userExists));
  });
}

async function createPosternUser(): Promise<void> {
  const roles = [{ role: 'readWrite', db: 'postern' }];
  const user = { createUser: 'postern', pwd: secret('mongo-password'), roles };
  await asked({ username: 'root', password: secret('mongo-root-password') }, async (client) => {
    await client.db('admin').command(user).catch(unless(codes.userExists));
  });
}

/** Tries until the deadline; a wrong password is not tried again. */
async function asked(
  auth: { username: string; password: string } | null,
  ask: (client: MongoClient) => Promise<void>,
): Promise<void> {
  for (;;) {
    const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, {
      ...{ serverSelectionTimeoutMS: everyMs },
      ...(auth && { auth, authSource: 'admin' }),
    });
    try {
      await ask(client);
      return;
    } catch (error) {
      if (error instanceof MongoServerError && error.code === codes.authenticationFailed) {
        throw new Error('MongoDB knows other passwords: its volume is older than the one of the secrets');
      }
      if (performance.now() > deadline) throw error;
    } finally {
      await client.close();
    }
    await pause(everyMs);
  }
}

function unless(...allowed: readonly number[]): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof MongoServerError) || !allowed.includes(Number(error.code))) throw error;
  };
}
