import type { Caller } from '../../../src/admin/identity.ts';
import type { Watched } from '../../../src/admin/watch-operations.ts';
import { keyJson } from '../../../src/changes/key-json.ts';
import { usedLimitJson } from '../../../src/changes/limit-json.ts';
import { ownerJson } from '../../../src/changes/owner-json.ts';
import { roleJson } from '../../../src/changes/role-json.ts';
import { settlementJson } from '../../../src/changes/settlement-json.ts';
import { eventJson } from '../../../src/events/events.ts';
import { Failure } from '../../../src/failure.ts';
import { auditJson } from '../../../src/journal/journal.ts';
import { formatTime } from '../../../src/time/time.ts';
import type { TestService } from '../../service.ts';
import { type Ask, answered, callerAddress, type Outcome, type Wire } from '../ask.ts';
import { shownEvent, untilTold } from '../shown.ts';

/** Calls the operations themselves. */
export function createOperationsWire(service: TestService): Wire {
  return {
    name: 'operations',
    async call(ask, { authorization, requestId }) {
      const caller: Caller = {
        authorization: authorization === null ? [] : [authorization],
        ...{ address: callerAddress, requestId },
      };
      try {
        return answered(await operate(service, caller, ask));
      } catch (error) {
        return refused(error);
      }
    },
  };
}

function refused(error: unknown): Outcome {
  if (!(error instanceof Failure)) throw error;
  const { code, reason, message, violations } = error;
  return { ok: false, code, reason, message, fields: violations.map(({ field }) => field) };
}

async function operate(service: TestService, caller: Caller, { operation, id = '', input, until }: Ask) {
  const { admin, clock } = service;
  const now = clock.now;
  switch (operation) {
    case 'createKey': {
      const { key, secret } = await admin.createKey(caller, input);
      return { ...keyJson(key, now), key: secret?.reveal() ?? null };
    }
    case 'getKey':
      return keyJson(await admin.getKey(caller, id), now);
    case 'findKey':
      return keyJson(await admin.findKey(caller, input), now);
    case 'listKeys': {
      const { keys, nextPageToken } = await admin.listKeys(caller, input);
      return { data: keys.map((key) => keyJson(key, now)), next_page_token: nextPageToken };
    }
    case 'getKeyUsage': {
      const { buckets, lastUsedAt, addresses } = await admin.getKeyUsage(caller, id, input);
      const shown = buckets.map(({ hour, allowed, denied, observed }) => ({
        start: formatTime(hour),
        ...{ allowed, denied, observed },
      }));
      return { buckets: shown, last_used_at: lastUsedAt === null ? null : formatTime(lastUsedAt), addresses };
    }
    case 'getKeyLimits':
      return (await admin.getKeyLimits(caller, id, input)).map(usedLimitJson);
    case 'chargeKey':
      return usedLimitJson(await admin.chargeKey(caller, id, input));
    case 'verifyKey': {
      const { keyId, ...verdict } = await admin.verifyKey(caller, input);
      return { ...verdict, key_id: keyId };
    }
    case 'updateKey': {
      const { key, settlement } = await admin.updateKey(caller, id, input);
      return { ...keyJson(key, now), ...(settlement !== null && settlementJson(settlement)) };
    }
    case 'rotateKey': {
      const rotated = await admin.rotateKey(caller, id, input);
      const { key, secret, rotatedKey } = rotated;
      const rotated_key = rotatedKey && keyJson(rotatedKey, now);
      const shown = { ...keyJson(key, now), key: secret?.reveal() ?? null, rotated_key };
      return { ...shown, ...settlementJson(rotated) };
    }
    case 'revokeKey':
    case 'disableKey': {
      const narrowed = await admin[operation](caller, id, input);
      return { ...keyJson(narrowed.key, now), ...settlementJson(narrowed) };
    }
    case 'enableKey':
      return keyJson(await admin.enableKey(caller, id, input), now);
    case 'importKeys': {
      const { failures, ...counts } = await admin.importKeys(caller, input);
      return { ...counts, failures: failures.map(({ index, field }) => ({ index, field })) };
    }
    case 'reportLeakedKeys': {
      const answer = await admin.reportLeakedKeys(caller, input);
      return { received: answer.received, ...settlementJson(answer) };
    }
    case 'putOwner': {
      const put = await admin.putOwner(caller, id, input);
      return { ...ownerJson(put.owner, now), ...settlementJson(put) };
    }
    case 'updateOwner': {
      const { owner, settlement } = await admin.updateOwner(caller, id, input);
      return { ...ownerJson(owner, now), ...(settlement !== null && settlementJson(settlement)) };
    }
    case 'getOwner':
      return ownerJson(await admin.getOwner(caller, id), now);
    case 'listOwners': {
      const { owners, nextPageToken } = await admin.listOwners(caller, input);
      return { data: owners.map((owner) => ownerJson(owner, now)), next_page_token: nextPageToken };
    }
    case 'putRole':
    case 'deleteRole': {
      const changed = await admin[operation](caller, id, input);
      return { ...roleJson(changed.role), ...settlementJson(changed) };
    }
    case 'getRole':
      return roleJson(await admin.getRole(caller, id));
    case 'listRoles': {
      const { roles, nextPageToken } = await admin.listRoles(caller, input);
      return { data: roles.map(roleJson), next_page_token: nextPageToken };
    }
    case 'listAuditEvents': {
      const { events, nextPageToken } = await admin.listAuditEvents(caller, input);
      return { data: events.map(auditJson).map(shownEvent), next_page_token: nextPageToken };
    }
    case 'getDiagnostics': {
      const { peppers } = await admin.getDiagnostics(caller);
      return { peppers };
    }
    case 'getTerms':
      return admin.getTerms(caller);
    case 'watchKeys': {
      const ended = new AbortController();
      const answers = await admin.watchKeys(caller, input, ended.signal);
      return { events: await untilTold(eventsOf(answers), until).finally(() => ended.abort()) };
    }
  }
}

async function* eventsOf(answers: AsyncIterable<Watched>) {
  for await (const { event } of answers) if (event !== null) yield eventJson(event);
}
