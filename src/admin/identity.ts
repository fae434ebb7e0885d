import { timingSafeEqual } from 'node:crypto';
import type { Keyring } from '../cache/keyring.ts';
import { credentialIn } from '../check/credential.ts';
import { trimBlanks } from '../check/places.ts';
import { isAllowedPrincipal } from '../check/principals.ts';
import { Failure } from '../failure.ts';
import { type AdminClient, adminRead, adminWrite } from '../keys/admin-permissions.ts';
import { type CheckedKey, type KeyId, keyState } from '../keys/key.ts';
import type { PortalPermission } from '../keys/portal-session.ts';
import type { Digest, Digester, Secret } from '../keys/secret.ts';
import { isAllowed } from '../net/address.ts';
import { principalOf } from '../net/certificate-names.ts';
import type { Reason } from '../schemes/answer.ts';
import { recognise, type Scheme } from '../schemes/scheme.ts';
import type { TraceHeaders } from '../tracing/tracing-context.ts';
import {
  type OperationName,
  operationPermissions,
  portalMayCall,
  portalNeeds,
} from './operation-permissions.ts';
import type { Tickets } from './people/tickets.ts';

/** Who makes an admin call, and what they may do. */
export interface Identity {
  /** The id of the admin key, or the name of the setting it stands in. */
  readonly actor: string;
  /** The name of the admin key; null for who comes by no key that has one. */
  readonly actorName: string | null;
  /** The admin key whose use this is; null where none is kept. */
  readonly key: KeyId | null;
  /** What a portal session may do, and nothing else; null for who comes by anything else. */
  readonly portal: readonly PortalPermission[] | null;
  readonly canRead: boolean;
  readonly canWrite: boolean;
  /** The one owner whose keys they see and change; null for every owner's. */
  readonly owner: string | null;
  /** Why they may make no call at all, though it is known who they are; null where they may. */
  readonly refusal: Failure | null;
  /** The same in the words of a Check. */
  readonly reason: Reason | null;
}

/** What a wire knows of a caller: every `Authorization` value, and the peer's IP address. */
export interface Caller {
  readonly authorization: readonly string[];
  readonly address: string;
  /** What the caller names the call, `x-request-id`; it goes into the journal. */
  readonly requestId?: string | null;
  /** The names in the client's certificate, which was verified; see `certificateNames`. */
  readonly certificateNames?: readonly string[];
  /** Which wire the call came by, for its span. Default: http. */
  readonly protocol?: 'grpc' | 'http';
  /** The trace that the caller names. */
  readonly trace?: TraceHeaders;
}

export interface IdentifyDependencies {
  readonly keyring: Pick<Keyring, 'peek' | 'load'>;
  readonly digester: Digester;
  /** The scheme that admin keys belong to, whether or not Checks know it. */
  readonly scheme: Scheme;
  /** The admin key of the settings, null for none. */
  readonly fixedKey: Secret | null;
  readonly clients: readonly AdminClient[];
  /** Of who has signed in to the console without an admin key. */
  readonly tickets: Pick<Tickets<Identity>, 'find'>;
  readonly now: () => number;
}

/**
 * Tells who calls, from `Authorization: Bearer ADMIN_KEY`, or where there is none from the client's certificate. Throws
 * UNAUTHENTICATED when nobody can be told; who is known and may not call has a refusal.
 */
export function createIdentify(dependencies: IdentifyDependencies): (caller: Caller) => Promise<Identity> {
  const { keyring, digester, scheme, fixedKey, clients, tickets, now } = dependencies;
  const fixedDigest = fixedKey === null ? null : digester.sign(fixedKey.reveal());

  return async ({ authorization, address, certificateNames = [] }) => {
    const client = clients.find(({ name }) => certificateNames.includes(name));
    if (authorization.length === 0 && client !== undefined) return clientIdentity(client);
    const text = bearerToken(authorization);
    const visitor = tickets.find(text);
    if (visitor !== null) return visitor;
    const digest = digester.sign(text);
    if (fixedDigest !== null && equal(digest, fixedDigest)) {
      return { ...keyless, actor: 'POSTERN_ADMIN_KEY', canRead: true, canWrite: true, owner: null };
    }
    if (recognise(scheme, text) === null) throw unauthenticated('Invalid admin key.');
    const key = keyring.peek(digest) ?? (await keyring.load(digest, digester.candidates(text), address));
    if (key === null) throw unauthenticated('Invalid admin key.');
    return identityOf(key, address, principalOf(certificateNames));
  };

  function identityOf(key: CheckedKey, address: string, principal: string): Identity {
    const canWrite = key.permissions.includes(adminWrite);
    const canRead = canWrite || key.permissions.includes(adminRead);
    const known = { actor: key.id, actorName: key.name, key: key.id, owner: key.owner, portal: null };
    return { ...known, canRead, canWrite, ...refusalOf(key, address, principal) };
  }

  function refusalOf(
    key: CheckedKey,
    address: string,
    principal: string,
  ): Pick<Identity, 'refusal' | 'reason'> {
    const state = keyState(key, now());
    if (state !== 'active') {
      return { refusal: unauthenticated(`This admin key is ${state}.`), reason: state };
    }
    if (key.ipAllowlist.length > 0 && !isAllowed(key.ipAllowlist, address)) {
      const message = 'This admin key may not be used from this address.';
      const refusal = new Failure('PERMISSION_DENIED', 'ADDRESS_DENIED', message);
      return { refusal, reason: 'address_denied' };
    }
    if (key.principals.length > 0 && !isAllowedPrincipal(key.principals, principal)) {
      const message =
        'This admin key asks for a client certificate that names one of its principals; none such came with the call.';
      const refusal = new Failure('PERMISSION_DENIED', 'PRINCIPAL_DENIED', message);
      return { refusal, reason: 'principal_denied' };
    }
    return notRefused;
  }
}

const notRefused = { refusal: null, reason: null };
/** Who comes by no key of which a use is counted. */
export const keyless = { actorName: null, key: null, portal: null, ...notRefused };

function clientIdentity({ name, permissions, owner }: AdminClient): Identity {
  const canWrite = permissions.includes(adminWrite);
  const canRead = canWrite || permissions.includes(adminRead);
  return { ...keyless, actor: name, canRead, canWrite, owner };
}

/** Throws their refusal where they have one, and PERMISSION_DENIED unless they may make such a call. */
export function requireMayCall(identity: Identity, operation: OperationName): void {
  if (identity.refusal !== null) throw identity.refusal;
  if (mayCallAs(identity, operation)) return;
  if (identity.portal === null) throw lacking(operationPermissions[operation], identity);
  const needed = portalNeeds(operation);
  const message =
    needed === null ? 'This is not for a portal session.' : `The portal session lacks ${needed}.`;
  throw new Failure('PERMISSION_DENIED', 'PORTAL_PERMISSION_REQUIRED', message);
}

export function mayCallAs({ portal, canRead, canWrite }: Identity, operation: OperationName): boolean {
  if (portal !== null) return portalMayCall(portal, operation);
  return operationPermissions[operation] === adminWrite ? canWrite : canRead;
}

function bearerToken(authorization: readonly string[]): string {
  const [value, ...more] = authorization;
  if (value === undefined || value === '') {
    throw unauthenticated('Send an admin key as "Authorization: Bearer ADMIN_KEY".');
  }
  const text = more.length > 0 ? null : credentialIn(trimBlanks(value), 'Bearer');
  if (text === null || text === '')
    throw unauthenticated('Send one admin key as "Authorization: Bearer ADMIN_KEY".');
  return text;
}

function equal(one: Digest, other: Digest): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function unauthenticated(message: string): Failure {
  return new Failure('UNAUTHENTICATED', 'ADMIN_KEY_REQUIRED', message);
}

function lacking(permission: string, { actor, key }: Identity): Failure {
  const without = actor.startsWith('oidc:') ? 'Your sign-in' : 'The client certificate';
  const who = key === null ? without : 'The admin key';
  return new Failure('PERMISSION_DENIED', 'ADMIN_PERMISSION_REQUIRED', `${who} lacks ${permission}.`);
}
