import { mayCall, type OperationName } from '../admin/operation-permissions.ts';
import type { Terms } from '../admin/terms-operations.ts';

/** One of the places that the navigation leads to. */
export interface Section {
  readonly href: string;
  readonly name: string;
  /** What who sees it must be able to ask for. */
  readonly needs: OperationName;
  /** Whether it is for those alone who are bound to no owner. */
  readonly isUnbound?: boolean;
}

const all: readonly Section[] = [
  { href: '/console/keys', name: 'API Keys', needs: 'ListKeys' },
  { href: '/console/owners', name: 'Owners', needs: 'ListOwners' },
  { href: '/console/roles', name: 'Roles', needs: 'ListRoles', isUnbound: true },
  { href: '/console/requests', name: 'Requests', needs: 'ListKeyRequests' },
  { href: '/console/audit', name: 'Audit', needs: 'ListAuditEvents' },
];

/** Those that somebody may see. */
export function sectionsFor({
  permissions,
  owner,
}: Pick<Terms, 'permissions' | 'owner'>): readonly Section[] {
  return all.filter(
    ({ needs, isUnbound = false }) => mayCall(permissions, needs) && (owner === null || !isUnbound),
  );
}
