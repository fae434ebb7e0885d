import { mayCall, type OperationName } from '../admin/operation-permissions.ts';
import type { Terms } from '../admin/terms-operations.ts';
import type { Icon } from './markup/icons.ts';

/** One of the places that the navigation leads to. */
export interface Section {
  readonly href: string;
  readonly name: string;
  readonly icon: Icon;
  /** Further paths whose pages belong to it. */
  readonly also?: readonly string[];
  /** What who sees it must be able to ask for. */
  readonly needs: OperationName;
  /** Whether it is for those alone who are bound to no owner. */
  readonly isUnbound?: boolean;
  /** Whether it is for no portal session. */
  readonly isForAdmins?: boolean;
}

const all: readonly Section[] = [
  {
    ...{ href: '/console', name: 'Overview', icon: 'overview', needs: 'GetUsage', isForAdmins: true },
    also: ['/console/usage'],
  },
  { href: '/console/keys', name: 'API Keys', icon: 'keys', needs: 'ListKeys' },
  { href: '/console/owners', name: 'Owners', icon: 'owners', needs: 'ListOwners' },
  {
    ...{ href: '/console/activity', name: 'Activity', icon: 'activity', needs: 'ListAuditEvents' },
    also: ['/console/audit'],
  },
  { href: '/console/leaks', name: 'Leaks', icon: 'leaks', needs: 'ListAuditEvents' },
  { href: '/console/requests', name: 'Requests', icon: 'requests', needs: 'ListKeyRequests' },
  { href: '/console/roles', name: 'Roles', icon: 'roles', needs: 'ListRoles', isUnbound: true },
];

/** Those that somebody may see. */
export function sectionsFor({
  permissions,
  owner,
  actor,
}: Pick<Terms, 'permissions' | 'owner' | 'actor'>): readonly Section[] {
  return all.filter(
    ({ needs, isUnbound = false, isForAdmins = false }) =>
      mayCall(permissions, needs) &&
      (owner === null || !isUnbound) &&
      !(isForAdmins && actor.startsWith('portal:')),
  );
}
