import type { Refusals } from '../../events/refusals.ts';
import { changeDraft } from '../../journal/journal.ts';
import { adminRead, adminWrite } from '../../keys/admin-permissions.ts';
import type { OidcGrant, OidcSettings } from '../../settings/console/oidc-spec.ts';
import { callName } from '../admin-fields.ts';
import { type Caller, type Identity, keyless } from '../identity.ts';

/** Who somebody is in the OpenID provider's word. */
export interface OidcPerson {
  readonly sub: string;
  readonly email: string | null;
  /** What the claim that grants go by holds. */
  readonly values: readonly string[];
}

/** Who has signed in by the OpenID provider. */
export interface OidcVisitor {
  readonly issuer: string;
  readonly sub: string;
  readonly email: string | null;
  /** The value by which a grant held. */
  readonly value: string;
}

/** What people may do whom the OpenID provider knows. */
export interface OidcAccess {
  /** Null for who has no grant. Either is in the journal. */
  admit(caller: Caller, person: OidcPerson): Promise<OidcVisitor | null>;
  /** Journals that somebody was not signed in. */
  refuse(caller: Caller): Promise<void>;
  /** By the grants of now; null for who has none any more. */
  identity(visitor: OidcVisitor): Identity | null;
}

export function createOidcAccess(
  { refusals }: { readonly refusals: Pick<Refusals, 'record'> },
  { issuer, grants }: Pick<OidcSettings, 'issuer' | 'grants'>,
): OidcAccess {
  const unchanged = { target: null, before: null, after: null };
  const refused = (
    caller: Caller,
    person: OidcPerson | null,
    error: 'UNAUTHENTICATED' | 'PERMISSION_DENIED',
  ) =>
    refusals.record({
      ...changeDraft(originOf(caller, person), { ...unchanged, owner: null }),
      ...{ outcome: 'refused', error },
    });

  return {
    async admit(caller, person) {
      const grant = grants.find(({ value }) => person.values.includes(value));
      if (grant === undefined) {
        await refused(caller, person, 'PERMISSION_DENIED');
        return null;
      }
      await refusals.record(changeDraft(originOf(caller, person), { ...unchanged, owner: grant.owner }));
      return { issuer, sub: person.sub, email: person.email, value: grant.value };
    },
    refuse: (caller) => refused(caller, null, 'UNAUTHENTICATED'),
    identity(visitor) {
      const grant = visitor.issuer === issuer && grants.find(({ value }) => value === visitor.value);
      return grant ? identityOf(visitor, grant) : null;
    },
  };
}

/** Whether somebody may change everything by one of these. */
export function givesAll(grants: readonly OidcGrant[]): boolean {
  return grants.some(({ permissions, owner }) => owner === null && permissions.includes(adminWrite));
}

function identityOf({ sub, email }: OidcVisitor, { permissions, owner }: OidcGrant): Identity {
  const canWrite = permissions.includes(adminWrite);
  const canRead = canWrite || permissions.includes(adminRead);
  return { ...keyless, actor: actorOf({ sub }), actorName: email, canRead, canWrite, owner };
}

function actorOf({ sub }: { readonly sub: string }): string {
  return `oidc:${sub}`;
}

function originOf({ address, requestId }: Caller, person: OidcPerson | null) {
  return {
    ...{
      action: 'SignIn',
      actor: person === null ? null : actorOf(person),
      actorName: person?.email ?? null,
    },
    ...{ address: address || null, requestId: callName(requestId ?? null) },
  };
}
