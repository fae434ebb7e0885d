import { auditJson, type JournalEntry } from '../../../journal/journal.ts';
import type { AuditEvent, ListAuditEventsRequest } from '../../gen/postern/admin/v1/key_admin.ts';
import { timestampOf, timeText } from './time-message.ts';

/** An entry of the journal as KeyAdmin shows it. */
export function auditMessage(entry: JournalEntry): AuditEvent {
  const json = auditJson(entry);
  return {
    id: json.id,
    at: timestampOf(entry.at),
    actor: entry.actor ?? '',
    action: entry.action,
    target: entry.target ?? '',
    outcome: entry.outcome,
    address: entry.address ?? '',
    request_id: entry.requestId ?? '',
    before: structOf(entry.before),
    after: structOf(entry.after),
    owner: entry.owner ?? undefined,
    error: entry.error ?? '',
    json: JSON.stringify(json),
    actor_name: entry.actorName ?? '',
    target_name: entry.targetName ?? '',
  };
}

/** The request in the contract's JSON shape; what a protobuf caller left unset is left out. */
export function listAuditEventsInputOf(request: ListAuditEventsRequest): Record<string, unknown> {
  const { page_token, since, until, order, after, ...rest } = request;
  return {
    ...rest,
    ...(page_token !== '' && { page_token }),
    ...(order !== '' && { order }),
    ...(after !== '' && { after }),
    ...(since !== undefined && { since: timeText(since) }),
    ...(until !== undefined && { until: timeText(until) }),
  };
}

function structOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null ? { ...value } : undefined;
}
