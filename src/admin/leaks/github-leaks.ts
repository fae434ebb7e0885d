import { verify } from 'node:crypto';
import type { LeakedSecret } from '../../changes/leaks.ts';
import type { Registry } from '../../changes/registry.ts';
import type { Refusals } from '../../events/refusals.ts';
import { Failure, invalidArgument } from '../../failure.ts';
import type { JournalDraft, Origin } from '../../journal/journal.ts';
import { Secret } from '../../keys/secret.ts';
import { callName } from '../admin-fields.ts';
import type { GithubKeys } from './github-keys.ts';

/** A message as it came. */
export interface GithubReport {
  /** The very bytes, since they are what is signed. */
  readonly body: Buffer;
  /** `Github-Public-Key-Identifier`; null where it is not given. */
  readonly keyId: string | null;
  /** `Github-Public-Key-Signature`; null where it is not given. */
  readonly signature: string | null;
  /** The sender's IP address. */
  readonly address: string;
  readonly requestId: string | null;
}

/**
 * Takes the messages of GitHub's secret scanning, for its partners
 * (https://docs.github.com/en/code-security/secret-scanning/secret-scanning-partnership-program): secrets that
 * were found in what is public, signed by one of GitHub's keys. Those that are keys are revoked.
 */
export interface GithubLeaks {
  /**
   * How many secrets the message held; the answer is the same whether or not any was a key. Throws UNAUTHENTICATED
   * for one without a signature, PERMISSION_DENIED for one that none of the known keys has signed, both journalled; UNAVAILABLE
   * where the key could not be fetched;
   * INVALID_ARGUMENT for what is signed and no such message.
   */
  receive(report: GithubReport): Promise<{ readonly received: number }>;
}

export interface GithubLeaksDependencies {
  /** The keys that GitHub signs by. */
  readonly keys: Pick<GithubKeys, 'find' | 'tell'>;
  readonly registry: Pick<Registry, 'revokeLeaked'>;
  readonly refusals: Refusals;
}

const secretLengthMax = 4_096;
const placeLengthMax = 2_048;

export function createGithubLeaks(dependencies: GithubLeaksDependencies): GithubLeaks {
  const { keys, registry, refusals } = dependencies;

  return {
    async receive(report) {
      const origin = originOf(report);
      try {
        await requireSignature(report);
        const found = readMessage(report.body);
        const leaked = found.flatMap(leakedOf);
        await registry.revokeLeaked(leaked, () => true, origin);
        keys.tell('taken');
        return { received: found.length };
      } catch (error) {
        if (error instanceof Failure && error.code === 'PERMISSION_DENIED') keys.tell('refused');
        if (error instanceof Failure && error.code !== 'UNAVAILABLE') {
          await refusals.record(refusalDraft(origin, error));
        }
        throw error;
      }
    },
  };

  async function requireSignature({ body, keyId, signature }: GithubReport): Promise<void> {
    if (keyId === null || signature === null) {
      throw new Failure(
        'UNAUTHENTICATED',
        'SIGNATURE_REQUIRED',
        'Only messages that GitHub signed are taken.',
      );
    }
    const bytes = Buffer.from(signature, 'base64');
    // No list is fetched for what can be no signature (DER, of two numbers of 32 bytes).
    const isForm = bytes.length >= signatureBytes.min && bytes.length <= signatureBytes.max;
    const key = isForm && /^[\x21-\x7e]{1,128}$/.test(keyId) ? await keys.find(keyId) : null;
    if (key === 'unavailable') {
      keys.tell('unavailable');
      const message = 'The keys that GitHub signs by could not be fetched; send it again.';
      throw new Failure('UNAVAILABLE', 'KEYS_UNAVAILABLE', message);
    }
    if (key !== null && verify('sha256', body, key, bytes)) return;
    throw new Failure('PERMISSION_DENIED', 'SIGNATURE_INVALID', 'No key that is known here has signed this.');
  }
}

const signatureBytes = { min: 8, max: 72 };

function readMessage(body: Buffer): readonly unknown[] {
  try {
    const found: unknown = JSON.parse(body.toString());
    if (Array.isArray(found)) return found;
  } catch {
    // The parser's message quotes the text.
  }
  throw invalidArgument([{ field: '(body)', description: 'is not a JSON array' }]);
}

/** One match. What cannot be a secret is left out, and does not keep the others from being revoked. */
function leakedOf(match: unknown): LeakedSecret[] {
  if (typeof match !== 'object' || match === null) return [];
  const { token, url, source } = match as Readonly<Record<string, unknown>>;
  if (typeof token !== 'string' || token === '' || token.length > secretLengthMax) return [];
  return [{ secret: new Secret(token), url: placeOf(url), source: `github:${placeOf(source) ?? 'unknown'}` }];
}

/** Text from elsewhere as one line. */
function placeOf(text: unknown): string | null {
  if (typeof text !== 'string' || text === '') return null;
  return text
    .slice(0, placeLengthMax)
    .replaceAll(/[\p{Cc}\u2028\u2029]/gu, ' ')
    .toWellFormed();
}

function originOf({ address, requestId }: GithubReport): Origin {
  return {
    ...{ actor: 'github-secret-scanning', action: 'ReportLeakedKeys', address: address || null },
    requestId: callName(requestId),
  };
}

/** Who sent what no key signed is not known. */
function refusalDraft(origin: Origin, { code }: Failure): JournalDraft {
  const actor = code === 'INVALID_ARGUMENT' ? origin.actor : null;
  return {
    ...{ ...origin, actor, kind: 'call', target: null, owner: null, outcome: 'refused', error: code },
    ...{ before: null, after: null, once: null },
  };
}
