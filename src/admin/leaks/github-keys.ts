import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { publicKeyOf } from '../../settings/event-settings.ts';
import { type Finding, warning } from '../../store/diagnosis/finding.ts';

/** The keys that GitHub signs its reports by: those of the settings, and those of its own list. */
export interface GithubKeys {
  /**
   * The key of that identifier; null where neither has it; `unavailable` where the list that may have it could not be
   * fetched. An identifier that is not known has the list fetched again, once a minute at most however many ask.
   */
  find(identifier: string): Promise<KeyObject | null | 'unavailable'>;
  /** Counts what became of a report. */
  tell(outcome: ReportOutcome): void;
  /** What an operator should know of it. */
  findings(): readonly Finding[];
}

export const reportOutcomes = ['taken', 'refused', 'unavailable'] as const;
export type ReportOutcome = (typeof reportOutcomes)[number];

export interface GithubKeysDependencies {
  readonly fetch: typeof fetch;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonic: () => number;
  readonly count: { fetched(isSuccess: boolean): void; reported(outcome: ReportOutcome): void };
  /** Why the list could not be fetched. */
  readonly onFailed: (why: string) => void;
  /** A report was refused; told once an hour. */
  readonly onRefused: () => void;
}

export interface GithubKeysOptions {
  /** Those of the settings, by their identifiers. */
  readonly pinned: ReadonlyMap<string, KeyObject>;
  /** Where the list is; null for nowhere. */
  readonly url: URL | null;
}

const fetchEveryMs = 60_000;
/** A list that is older is fetched again with the next report: keys are also taken back. */
const freshMs = 86_400_000;
const timeoutMs = 5_000;
const bytesMax = 262_144;
const keysMax = 100;
const toldAgainMs = 3_600_000;
const refusalsShownMs = 86_400_000;

const listForm = z.object({
  public_keys: z
    .array(z.object({ key_identifier: z.string().min(1).max(128), key: z.string().max(4_096) }))
    .max(keysMax),
});

export function createGithubKeys(
  dependencies: GithubKeysDependencies,
  options: GithubKeysOptions,
): GithubKeys {
  const { fetch, monotonic, count, onFailed, onRefused } = dependencies;
  const { pinned, url } = options;
  let listed: ReadonlyMap<string, KeyObject> | null = null;
  let listedAt = -Infinity;
  let triedAt = -Infinity;
  let failure: string | null = null;
  let fetching: Promise<void> | null = null;
  let [refusedAt, toldAt] = [-Infinity, -Infinity];

  return {
    async find(identifier) {
      const known = pinned.get(identifier);
      if (known !== undefined) return known;
      if (url === null) return null;
      if (monotonic() - listedAt >= freshMs || !listed?.has(identifier)) await refresh(url);
      // A list that is too old to be fetched anew vouches for nothing.
      if (listed === null || monotonic() - listedAt >= 2 * freshMs) return 'unavailable';
      return listed.get(identifier) ?? (failure === null ? null : 'unavailable');
    },
    tell(outcome) {
      count.reported(outcome);
      if (outcome !== 'refused') return;
      refusedAt = monotonic();
      if (refusedAt - toldAt < toldAgainMs) return;
      toldAt = refusedAt;
      onRefused();
    },
    findings: () => [
      ...(failure === null ? [] : [unfetched(failure)]),
      ...(monotonic() - refusedAt < refusalsShownMs ? [refusedReports] : []),
    ],
  };

  async function refresh(from: URL): Promise<void> {
    if (fetching === null && monotonic() - triedAt >= fetchEveryMs) {
      triedAt = monotonic();
      fetching = load(from).finally(() => {
        fetching = null;
      });
    }
    await fetching;
  }

  async function load(from: URL): Promise<void> {
    try {
      listed = await fetchList(fetch, from);
      [listedAt, failure] = [monotonic(), null];
      count.fetched(true);
    } catch (error) {
      failure = error instanceof Error ? error.message : 'unknown error';
      count.fetched(false);
      onFailed(failure);
    }
  }
}

async function fetchList(ask: typeof fetch, url: URL): Promise<ReadonlyMap<string, KeyObject>> {
  const headers = { accept: 'application/json', 'user-agent': 'postern' };
  const signal = AbortSignal.timeout(timeoutMs);
  const response = await ask(url, { headers, signal, redirect: 'error' });
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`it answered ${response.status}`);
  }
  const { public_keys: keys } = readList(await textOf(response));
  const read = keys.flatMap(({ key_identifier: id, key: pem }) => {
    const key = publicKeyOf(pem);
    return key === null ? [] : [[id, key] as const];
  });
  if (read.length === 0) throw new Error('it lists no P-256 public key');
  return new Map(read);
}

async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) throw new Error(`it answered more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function readList(text: string): z.output<typeof listForm> {
  try {
    return listForm.parse(JSON.parse(text));
  } catch {
    // What was answered is not quoted.
    throw new Error('it answered no list of public keys');
  }
}

function unfetched(why: string): Finding {
  return warning(
    'leaks.github_keys',
    `The list of keys that GitHub signs its reports by could not be fetched: ${why}.`,
    'Let the service reach leaks.github.keys_url, or give the keys in leaks.github.public_keys.',
  );
}

const refusedReports = warning(
  'leaks.github_refused',
  'In the last 24 hours reports to POST /leaks/github were refused, since no known key had signed them.',
  'Where GitHub sent them: take retired keys out of leaks.github.public_keys, so that its list is fetched. Others may send what they like, and revoke nothing.',
);
