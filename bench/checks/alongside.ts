import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { Expected } from '../client/expected.ts';
import { type AdminCall, createAdminCalls } from '../common/admin-calls.ts';
import { benchKeys } from '../common/keys.ts';
import type { Peer, PosternService } from '../peers/peer.ts';

/** What a Postern does while it answers Checks, as it is told to by its other listeners. */
export const posternWorks = [
  'settings are reloaded',
  'an import runs',
  'metrics are scraped',
  'the journal grows',
  'a console page is looked at',
  'keys are revoked',
  '10,000 keys are revoked at once',
  'all subscriptions end at once',
] as const;
export type PosternWork = (typeof posternWorks)[number];
/** All that are asked for after it are denied. */
const lapse: PosternWork = 'all subscriptions end at once';

/** Of the keys that {@link posternWorks} revoke, which no Check presents. */
export const leavingOwner = 'leaving';
/** Whose keys are revoked at once, one after another. */
export const leavingTogether = Array.from({ length: 8 }, (_, at) => `leaving-${at}`);
/** Of the keys that Checks present. */
export const benchOwner = 'bench';

interface Service extends PosternService {
  readonly pid: number;
  readonly call: AdminCall;
  /** When what has an end in this turn ends, Unix milliseconds. */
  readonly endsAt: number;
}

/** Does one piece of it, again and again until it is stopped. */
type Step = (service: Service, at: number) => Promise<void>;

interface Steps {
  readonly everyMs: number;
  readonly callers: number;
  readonly step: Step;
  /** Undoes what the last step did. */
  readonly after?: (service: Service) => Promise<void>;
}

const importRows = 1_000;
/** Seeds of the keys that are imported: none that the service has. */
const importSeed = 1_000_000;
let imported = 0;

let revoked = 0;
/** From when subscriptions are changed until they end: a part of a turn is before it. */
const untilEndMs = 1_500;

const steps: Readonly<Record<PosternWork, Steps>> = {
  'settings are reloaded': {
    ...{ everyMs: 500, callers: 1 },
    async step({ pid, settingsFile }, at) {
      const level = `log: { level: ${at % 2 === 0 ? 'info' : 'warn'} }`;
      const kept = readFileSync(settingsFile, 'utf8').replace(/^log: .*\n/m, '');
      writeFileSync(settingsFile, `${level}\n${kept}`);
      process.kill(pid, 'SIGHUP');
    },
  },
  'an import runs': {
    ...{ everyMs: 0, callers: 1 },
    async step({ call }) {
      const secrets = benchKeys(importRows, importSeed + imported++);
      const keys = secrets.map((secret, row) => ({ secret, name: `Import ${row}`, owner: 'customer-1' }));
      expectStatus(await call('POST', '/admin/api-keys:import', { keys }), 200);
    },
  },
  'metrics are scraped': {
    ...{ everyMs: 250, callers: 1 },
    async step({ url }) {
      await (await fetch(`${url}/metrics`)).text();
    },
  },
  'the journal grows': {
    ...{ everyMs: 0, callers: 4 },
    async step({ call }, at) {
      expectStatus(await call('POST', '/admin/api-keys', { name: `Made ${at}`, owner: 'customer-2' }), 201);
    },
  },
  'a console page is looked at': {
    ...{ everyMs: 100, callers: 1 },
    async step({ url, adminKey }) {
      const headers = { cookie: await sessionOf(url, adminKey) };
      const page = await fetch(`${url}/console/keys`, { headers, redirect: 'manual' });
      await page.text();
      if (page.status !== 200) throw new Error(`the console answered ${page.status}`);
    },
  },
  'keys are revoked': {
    ...{ everyMs: 0, callers: 1 },
    async step({ call }) {
      const page = await call('GET', `/admin/api-keys?owner=${leavingOwner}&state=active&page_size=100`);
      const { data } = expectStatus(page, 200) as { data: { id: string }[] };
      await Promise.all(
        data.map(async ({ id }) => void expectStatus(await call('DELETE', `/admin/api-keys/${id}`), 200)),
      );
    },
  },
  '10,000 keys are revoked at once': {
    ...{ everyMs: 5_000, callers: 1 },
    async step({ call }) {
      const owner = leavingTogether[revoked++ % leavingTogether.length];
      expectStatus(await call('POST', '/admin/api-keys:revoke', { filter: { owner } }), 200);
    },
  },
  'all subscriptions end at once': {
    ...{ everyMs: 5_000, callers: 1 },
    async step({ call, endsAt }) {
      const activeUntil = new Date(endsAt).toISOString();
      expectStatus(await call('PUT', `/admin/owners/${benchOwner}`, { active_until: activeUntil }), 200);
    },
    async after({ call }) {
      expectStatus(await call('PUT', `/admin/owners/${benchOwner}`, {}), 200);
    },
  },
};

/** Work that goes on until `stop` resolves; that rejects when the service refused any of it. */
export interface Alongside {
  /**
   * Resolves once the first piece of it is done, to how it will change what Checks come to; to null where it changes
   * nothing. Rejects when the service refused it.
   */
  begun(): Promise<Expected['change']>;
  /** Pieces of it that were done. */
  done(): number;
  stop(): Promise<void>;
}

/** Begins the work on a Postern; none on any other. */
export function startAlongside(
  work: PosternWork,
  { service, pid }: Pick<Peer, 'service' | 'pid'>,
): Alongside {
  if (service === null) return { begun: async () => null, done: () => 0, stop: async () => {} };
  const { everyMs, callers, step, after } = steps[work];
  const { call, close } = createAdminCalls(service.url, service.adminKey);
  const over = new AbortController();
  const endsAt = Date.now() + untilEndMs;
  const change = work === lapse ? { at: endsAt, outcomes: [402] } : null;
  const first = Promise.withResolvers<Expected['change']>();
  let at = 0;
  let done = 0;
  const caller = async () => {
    while (!over.signal.aborted) {
      await step({ ...service, pid, call, endsAt }, at++);
      done++;
      first.resolve(change);
      // It rejects for no other reason than that all is over.
      await setTimeout(everyMs, undefined, { signal: over.signal }).catch(() => {});
    }
  };
  const working = Promise.all(Array.from({ length: callers }, caller));
  working.catch(first.reject);
  first.promise.catch(() => {});
  return {
    begun: () => first.promise,
    done: () => done,
    async stop() {
      over.abort();
      try {
        await working;
        await after?.({ ...service, pid, call, endsAt });
      } finally {
        await close();
      }
    },
  };
}

const sessions = new Map<string, Promise<string>>();

/** A cookie of a session of the console, begun once for each service. */
function sessionOf(url: string, adminKey: string): Promise<string> {
  const begun = sessions.get(url) ?? signIn(url, adminKey);
  sessions.set(url, begun);
  return begun;
}

async function signIn(url: string, adminKey: string): Promise<string> {
  const page = await fetch(`${url}/console`);
  const token = /name="token" value="([^"]+)"/.exec(await page.text())?.[1] ?? '';
  const signedIn = await fetch(`${url}/console`, {
    ...{ method: 'POST', redirect: 'manual' },
    headers: { cookie: cookieOf(page), origin: url },
    body: new URLSearchParams({ token, admin_key: adminKey }),
  });
  const cookie = cookieOf(signedIn);
  if (signedIn.status >= 400 || cookie === '')
    throw new Error(`the console answered ${signedIn.status} to a sign-in`);
  return cookie;
}

function cookieOf(answer: Response): string {
  return (answer.headers.getSetCookie()[0] ?? '').split(';')[0] ?? '';
}

function expectStatus({ status, json }: { status: number; json: unknown }, expected: number): unknown {
  if (status !== expected)
    throw new Error(`an admin call was answered with ${status}: ${JSON.stringify(json)}`);
  return json;
}
