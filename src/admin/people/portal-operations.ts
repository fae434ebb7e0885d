import type { Registry } from '../../changes/registry.ts';
import { Failure, invalidArgument } from '../../failure.ts';
import type { PortalSessionRecord } from '../../keys/portal-session.ts';
import { emptyInput } from '../admin-input.ts';
import { type Call, ownerFor } from '../call.ts';
import { readInput } from '../read-input.ts';
import { createPortalSessionInput } from './portal-input.ts';

/** Where the console is, and where its portal sessions may lead back to. */
export interface PortalTerms {
  /** As in `https://console.example.com`; null where only a call says it. */
  readonly origin: string | null;
  /** Whether browsers reach the console by TLS. */
  readonly isSecure: boolean;
  readonly returnOrigins: readonly string[];
  /** The origin that only this machine reaches; null where there is none, or nobody listens yet. */
  readonly ownOrigin: () => string | null;
}

export interface LinkedPortalSession {
  readonly session: PortalSessionRecord;
  /** Opens the session once; in this answer and no other. */
  readonly url: string;
}

/** A while for somebody else's customers to look after their keys in the console. */
export interface PortalOperations {
  /** `host` is that which the call was made to, where the console is too; null where it is not. */
  createPortalSession(call: Call, input: unknown, host: string | null): Promise<LinkedPortalSession>;
  /** Ends it on every replica when it resolves. The input is an empty object, or left out. */
  deletePortalSession(call: Call, id: string, input?: unknown): Promise<PortalSessionRecord>;
}

export function createPortalOperations({
  registry,
  portal,
}: {
  readonly registry: Pick<Registry, 'createPortalSession' | 'deletePortalSession'>;
  /** Null where there is no console. */
  readonly portal: PortalTerms | null;
}): PortalOperations {
  return {
    async createPortalSession(call, input, host) {
      const asked = readInput(createPortalSessionInput, input);
      const owner = ownerFor(call, asked.owner);
      if (owner === null) throw invalidArgument([{ field: 'owner', description: 'is required' }]);
      if (portal === null) throw noConsole();
      requireReturnOrigin(portal, asked.return_url);
      const origin = originOf(portal, host);
      const wanted = { owner, permissions: [...new Set(asked.permissions)], returnUrl: asked.return_url };
      const made = await registry.createPortalSession({ ...wanted, lifeMs: asked.expires_in }, call.origin);
      return { session: made.session, url: `${origin}/console/portal/${made.token}` };
    },
    async deletePortalSession(call, id, input = {}) {
      readInput(emptyInput, input);
      return registry.deletePortalSession(id, call.identity.owner, call.origin);
    },
  };
}

function requireReturnOrigin({ returnOrigins }: PortalTerms, url: string | null): void {
  if (url === null || returnOrigins.includes(new URL(url).origin)) return;
  const description = 'has an origin that is none of console.return_origins';
  throw invalidArgument([{ field: 'return_url', description }]);
}

function originOf({ origin, isSecure, ownOrigin }: PortalTerms, host: string | null): string {
  const ofCall = host === null ? null : URL.parse(`${isSecure ? 'https' : 'http'}://${host}`);
  const known = origin ?? ofCall?.origin ?? ownOrigin();
  if (known !== null) return known;
  const message = 'Where the console is cannot be told: set console.origin.';
  throw new Failure('FAILED_PRECONDITION', 'CONSOLE_ORIGIN_UNKNOWN', message);
}

function noConsole(): Failure {
  return new Failure('FAILED_PRECONDITION', 'CONSOLE_DISABLED', 'There is no console: it is switched off.');
}
