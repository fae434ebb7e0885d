import type { AuditAction } from '../../../admin/audit-actions.ts';

/** An action of the journal in words; `{}` stands for what it is about. */
export interface Act {
  /** As in "**Ops key** disabled **CI 6**". */
  readonly did: string;
  /** As in "**Ops key** may not disable **CI 6**"; with `what` it is what a filter offers: "Disable a key". */
  readonly would: string;
  /** What it is about, where the entry does not tell. */
  readonly what: string;
  readonly about: About;
}

/** What the target of an entry is; filters offer actions under these. */
export type About = 'key' | 'owner' | 'role' | 'session' | 'service' | 'notice';

const key = (did: string, would: string, what = 'a key'): Act => ({ did, would, what, about: 'key' });
const owner = (did: string, would: string, what = 'an owner'): Act => ({ did, would, what, about: 'owner' });
const role = (did: string, would: string, what = 'a role'): Act => ({ did, would, what, about: 'role' });
const session = (did: string, would: string, what = 'a portal session'): Act => ({
  ...{ did, would, what, about: 'session' },
});
const service = (did: string, would: string): Act => ({ did, would, what: '', about: 'service' });
/** Nobody did it: `would` is what a filter calls it. */
const notice = (did: string, would: string): Act => ({ did, would, what: 'a key', about: 'notice' });

/** Every action that an entry of the journal may have. Those that only read are there where they were refused. */
export const acts: Readonly<Record<AuditAction, Act>> = {
  CreateKey: key('created {}', 'create {}'),
  UpdateKey: key('changed {}', 'change {}'),
  RotateKey: key('rotated {}', 'rotate {}'),
  RevokeKey: key('revoked {}', 'revoke {}'),
  DisableKey: key('disabled {}', 'disable {}'),
  EnableKey: key('enabled {}', 'enable {}'),
  RevokeKeys: key('revoked {}, with others', 'revoke {}', 'several keys'),
  DisableKeys: key('disabled {}, with others', 'disable {}', 'several keys'),
  ImportKeys: key('imported {}', 'import {}', 'keys'),
  ReportLeakedKeys: key('reported {} as leaked', 'report {} as leaked'),
  ChargeKey: key('charged {}', 'charge {}'),
  GetKey: key('looked at {}', 'look at {}'),
  GetKeyUsage: key('looked at the use of {}', 'look at the use of {}'),
  GetKeyLimits: key('looked at the limits of {}', 'look at the limits of {}'),
  ListKeyRequests: key('looked at the requests of {}', 'look at the requests of {}', 'keys'),
  GetUsage: service('looked at the usage of all', 'look at the usage of all'),
  ListKeys: key('listed {}', 'list {}', 'keys'),
  FindKey: key('looked {} up', 'look {} up', 'a key by its secret'),
  VerifyKey: key('tried {} out', 'try {} out'),
  WatchKeys: key('watched the changes of {}', 'watch the changes of {}', 'keys'),
  PutOwner: owner('changed the owner {}', 'change {}'),
  UpdateOwner: owner('changed the owner {}', 'change {}', 'single fields of an owner'),
  GetOwner: owner('looked at the owner {}', 'look at {}'),
  ListOwners: owner('listed {}', 'list {}', 'owners'),
  PutRole: role('changed the role {}', 'change {}'),
  DeleteRole: role('deleted the role {}', 'delete {}'),
  GetRole: role('looked at the role {}', 'look at {}'),
  ListRoles: role('listed {}', 'list {}', 'roles'),
  CreatePortalSession: session('opened {}', 'open {}'),
  DeletePortalSession: session('ended {}', 'end {}'),
  SignIn: service('signed in to the console', 'sign in to the console'),
  ListAuditEvents: service('read the audit log', 'read the audit log'),
  GetDiagnostics: service('looked for what is wrong', 'look for what is wrong'),
  GetTerms: service('asked what it may do', 'ask what it may do'),
  RestoreStore: service('ended a restore of the store', 'end a restore of the store'),
  RefusedCalls: service('More calls were refused', 'many refused calls'),
  KeyExpiring: notice('{} is about to expire', 'key about to expire'),
  KeyUnused: notice('Nobody uses {}', 'key that nobody uses'),
  NewAddress: notice('{} was used from a new address', 'use from a new address'),
  PermissionDenied: notice('{} asked for what it may not', 'use beyond its permissions'),
  ManyFailures: notice('Many requests failed', 'many failed requests'),
  LimitNearlySpent: notice('{} has nearly spent a limit', 'limit nearly spent'),
  UnusualVolume: notice('{} is used far more than at other times', 'unusual volume'),
  LimitExceeded: notice('{} is beyond a limit', 'limit exceeded'),
};

/** Null for an action of another release. */
export function actOf(action: string): Act | null {
  return Object.hasOwn(acts, action) ? acts[action as AuditAction] : null;
}

/** An action as a filter offers it, such as "Disable a key". */
export function titleOf(action: string): string {
  const act = actOf(action);
  const words = act === null ? wordsOf(action) : act.would.replace('{}', act.what);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The words of a name such as `FreezeKey`, which another release may have written. */
export function wordsOf(action: string): string {
  return action.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, ' ').toLowerCase();
}

/** The name of the action that somebody means by this text: the name itself, or words; null for none. */
export function actionMeant(text: string): string | null {
  const wanted = text.trim().toLowerCase();
  const found = Object.keys(acts).find((action) => {
    const { did, would, what } = acts[action as AuditAction];
    const forms = [action, wordsOf(action), would, did].map((form) => form.replace('{}', what).toLowerCase());
    const verbs = [would, did].map((form) => form.replace('{}', '').trim().toLowerCase());
    return [...forms, ...verbs].includes(wanted);
  });
  return found ?? null;
}
