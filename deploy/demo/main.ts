/** `npm run demo`: Postern, a real Envoy and an upstream on this machine, and the lines that show what they do. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { findEnvoy } from '../../test/real/binary.ts';
import { startEcho } from '../../test/real/echo.ts';
import { startEnvoy } from '../../test/real/envoy.ts';
import { startPostern } from '../../test/real/postern.ts';

/** Something that was started. */
interface Part {
  readonly name: string;
  stop(): Promise<void>;
}

/** A part that runs on its own and may end on its own. */
interface RunningPart extends Part {
  readonly exited: Promise<number | null>;
  log(): string;
}

const envoyPort = 10_000;
const logLinesShown = 10;

const parts: Part[] = [];
let isEnding = false;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end(0));
try {
  await demo();
} catch (error) {
  // What fails while all of it is being ended, fails because of that.
  if (!isEnding) {
    say(`The demo cannot go on: ${error instanceof Error ? error.message : error}`);
    await end(1);
  }
}

async function demo(): Promise<void> {
  const adminKey = `demo-${randomBytes(24).toString('base64url')}`;
  say('Starting Postern, with its keys in memory …');
  const postern = await startPostern({ POSTERN_ADMIN_KEY: adminKey });
  await watch({ name: 'Postern', ...postern });
  const echo = await startEcho();
  await keep({ name: 'the upstream', stop: echo.stop });
  say('Looking for Envoy; the first time it may be fetched, 40 to 200 MB …');
  await findEnvoy();
  say('Starting Envoy with deploy/envoy/envoy.yaml …');
  const listenPort = (await isFree(envoyPort)) ? envoyPort : 0;
  const envoy = await startEnvoy({ listenPort, checkAddress: postern.check, upstreamAddress: echo.address });
  await watch({ name: 'Envoy', ...envoy });
  const made = await makeKey(postern.url, adminKey);
  say(lines({ edge: envoy.url, rest: postern.url, adminKey, ...made }));
}

/** What to copy, and what each line will answer. */
function lines(at: { edge: string; rest: string; adminKey: string; id: string; key: string }): string {
  const withKey = (key: string) => `curl -sSi ${at.edge}/ -H 'Authorization: Bearer ${key}'`;
  const lastIsA = at.key.endsWith('A');
  const badKey = at.key.slice(0, -1) + (lastIsA ? 'B' : 'A');
  const revoke = `curl -sSi -X DELETE ${at.rest}/admin/api-keys/${at.id} -H 'Authorization: Bearer ${at.adminKey}'`;
  return `
All of it runs. Copy these lines into another terminal.

# 200: a good key. The upstream answers with what it was sent: x-postern-*, and no key.
${withKey(at.key)}

# 401 invalid_api_key: a key with a typo.
${withKey(badKey)}

# 401 missing_api_key: no key.
curl -sSi ${at.edge}/

# 200: revokes the key, from effective_at on.
${revoke}

# 401 revoked_api_key: now the first line again.
${withKey(at.key)}

Ctrl-C ends all of it.`;
}

async function makeKey(url: string, adminKey: string): Promise<{ id: string; key: string }> {
  const response = await fetch(`${url}/admin/api-keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}` },
    body: JSON.stringify({ name: 'Demo', owner: 'demo', permissions: ['read:things'] }),
  });
  if (response.status !== 201) throw new Error(`no key could be made: ${await response.text()}`);
  const { data } = (await response.json()) as { data: { id: string; key: string } };
  return data;
}

async function watch(part: RunningPart): Promise<void> {
  void part.exited.then(async (code) => {
    if (isEnding) return;
    const tail = part.log().trimEnd().split('\n').slice(-logLinesShown).join('\n');
    say(`${part.name} has ended by itself${code === null ? '' : ` with ${code}`}. Its last words:\n${tail}`);
    await end(1);
  });
  await keep(part);
}

/** Has the part ended with the demo, or at once where the demo is ending already. */
async function keep(part: Part): Promise<void> {
  parts.push(part);
  if (!isEnding) return;
  await part.stop();
  throw new Error('the demo is ending');
}

/** Stops every part, the last one first. A part that is just being started ends with this process. */
async function end(code: number): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  if (code === 0) say('Ending …');
  for (const part of parts.toReversed()) await part.stop();
  process.exit(code);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
