import type { z } from 'zod';
import { limitsAsked } from '../../admin/admin-fields.ts';
import { updateKeyInput } from '../../admin/admin-input.ts';
import { updateOwnerInput } from '../../admin/owner-input.ts';
import { putRoleInput } from '../../admin/roles/role-input.ts';
import { type Kind, type Members, setLabel } from './documents.ts';

/** A member that differs from what is wanted. */
export interface Difference {
  readonly member: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Read when a key is made, and never again. */
const whenMade: ReadonlySet<string> = new Set(['scheme', 'environment', 'owner', 'expires_in']);

/** What a document names and what is otherwise, in the order of the document. */
export function differences(kind: Kind, id: string, spec: Members, found: Members): Difference[] {
  const named = Object.keys(spec).filter((member) => kind !== 'Key' || !whenMade.has(member));
  return named.flatMap((member) => {
    const before = shownValue(member, found);
    const after = spec[member];
    const isSame = canonical(kind, id, member, after) === canonical(kind, id, member, before);
    return isSame ? [] : [{ member, before, after }];
  });
}

/** The value of a member as the service answers it, without the mark of the set. */
function shownValue(member: string, found: Members): unknown {
  const value = found[member];
  // What is not the one limit of the short form has all limits to be compared with.
  if (member === 'rate_limit') return value ?? found.rate_limits;
  if (member !== 'labels' || typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== setLabel));
}

/** The same text for values that the service takes for the same. */
function canonical(kind: Kind, id: string, member: string, value: unknown): string {
  const asked =
    member === 'rate_limit' && Array.isArray(value) ? { rate_limits: value } : { [member]: value };
  const read: z.ZodSafeParseResult<Members> = inputOf(kind, id, asked);
  if (!read.success) return `unreadable ${JSON.stringify(value)}`;
  if (member === 'rate_limit' || member === 'rate_limits')
    return JSON.stringify(limitsAsked(read.data as Parameters<typeof limitsAsked>[0]) ?? []);
  return JSON.stringify(plain(member, read.data[member]));
}

function inputOf(kind: Kind, id: string, asked: Members): z.ZodSafeParseResult<Members> {
  if (kind === 'Owner') return updateOwnerInput.safeParse({ ...asked, id });
  if (kind === 'Role') return putRoleInput.safeParse({ ...asked, id });
  return updateKeyInput.safeParse(asked);
}

/** Null for all that is empty; lists have each value once, times are told to the second. */
function plain(member: string, value: unknown): unknown {
  if (value === undefined || value === null || value === false) return null;
  if (Array.isArray(value)) return value.length === 0 ? null : [...new Set(value)];
  if (typeof value === 'object') {
    const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
    return entries.length === 0 ? null : entries;
  }
  const isTime = typeof value === 'number' && /(?:_at|_until|_anchor)$/.test(member);
  return isTime ? Math.floor(value / 1_000) : value;
}
