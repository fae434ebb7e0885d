import { z } from 'zod';
import type { AuditJson } from '../../journal/journal.ts';
import { table } from '../terminal/output.ts';

/** An event as the service tells it: untouched, since its hash is over its members in their order. */
export const auditEvent = z.custom<AuditJson>(isAuditEvent);

/** A line of an export, members that name the event and what the chain is made of among them. */
export function isAuditEvent(value: unknown): value is AuditJson {
  if (typeof value !== 'object' || value === null) return false;
  const { id, at, action, outcome, previous_hash: previous, hash } = value as Partial<AuditJson>;
  const isChained = [previous, hash].every((text) => typeof text === 'string' && /^[0-9a-f]{64}$/.test(text));
  const isNamed = [at, action, outcome].every((text) => typeof text === 'string');
  return isChained && isNamed && typeof id === 'string' && /^evt_[0-9]{16}$/.test(id);
}

/** The event that is on a line; null where there is none. */
export function eventOn(line: string): AuditJson | null {
  try {
    const value: unknown = JSON.parse(line);
    return isAuditEvent(value) ? value : null;
  } catch {
    return null;
  }
}

/** Bytes of one event on its line, by far. */
export const eventBytesMax = 4 * 1_048_576;

const listHeader = ['ID', 'AT', 'ACTION', 'TARGET', 'OUTCOME', 'ACTOR', 'ADDRESS'];

/** A page of events, a line each; the header stands on the first page alone. */
export function eventList(events: readonly AuditJson[], isFirstPage: boolean): string {
  const rows = events.map((event) => [
    event.id,
    event.at,
    event.action,
    named(event.target, event.target_name),
    event.error ?? event.outcome,
    named(event.actor, event.actor_name),
    event.address ?? '-',
  ]);
  return table(isFirstPage ? [listHeader, ...rows] : rows);
}

/** An id, and its name as it was then. */
function named(id: string | null, name: string | null = null): string {
  return name === null ? (id ?? '-') : `${id} (${name})`;
}
