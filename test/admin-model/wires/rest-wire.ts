import type { Operation, Outcome, Wire } from '../ask.ts';
import { type Ask, answered } from '../ask.ts';
import { shownEvent, untilTold } from '../shown.ts';

const routes: Readonly<Record<Operation, readonly [method: string, path: string]>> = {
  createKey: ['POST', '/admin/api-keys'],
  getKey: ['GET', '/admin/api-keys/{id}'],
  listKeys: ['GET', '/admin/api-keys'],
  getKeyLimits: ['GET', '/admin/api-keys/{id}/limits'],
  chargeKey: ['POST', '/admin/api-keys/{id}:charge'],
  getKeyUsage: ['GET', '/admin/api-keys/{id}/usage'],
  findKey: ['POST', '/admin/api-keys:find'],
  verifyKey: ['POST', '/admin/api-keys:verify'],
  updateKey: ['PATCH', '/admin/api-keys/{id}'],
  rotateKey: ['POST', '/admin/api-keys/{id}/rotate'],
  revokeKey: ['DELETE', '/admin/api-keys/{id}'],
  disableKey: ['POST', '/admin/api-keys/{id}/disable'],
  enableKey: ['POST', '/admin/api-keys/{id}/enable'],
  importKeys: ['POST', '/admin/api-keys:import'],
  reportLeakedKeys: ['POST', '/admin/leaked-keys'],
  putOwner: ['PUT', '/admin/owners/{id}'],
  updateOwner: ['PATCH', '/admin/owners/{id}'],
  getOwner: ['GET', '/admin/owners/{id}'],
  listOwners: ['GET', '/admin/owners'],
  putRole: ['PUT', '/admin/roles/{id}'],
  getRole: ['GET', '/admin/roles/{id}'],
  listRoles: ['GET', '/admin/roles'],
  deleteRole: ['DELETE', '/admin/roles/{id}'],
  listAuditEvents: ['GET', '/admin/audit-events'],
  getTerms: ['GET', '/admin/terms'],
  getDiagnostics: ['GET', '/admin/diagnostics'],
  watchKeys: ['GET', '/admin/events'],
};

type Json = Readonly<Record<string, unknown>>;

/** Calls by REST. */
export function createRestWire(base: string): Wire {
  return {
    name: 'REST',
    async call(ask, { authorization, requestId }) {
      const [method, path] = routes[ask.operation];
      const hasBody = method !== 'GET';
      const query = hasBody ? '' : queryOf(ask.input);
      const ended = new AbortController();
      const response = await fetch(base + path.replace('{id}', encodeURIComponent(ask.id ?? '')) + query, {
        method,
        headers: {
          ...(authorization !== null && { authorization }),
          ...(requestId !== null && { 'x-request-id': requestId }),
        },
        body: hasBody ? JSON.stringify(ask.input) : null,
        signal: ended.signal,
      });
      if (ask.operation === 'watchKeys' && response.ok) {
        const events = await untilTold(eventsOf(response), ask.until).finally(() => ended.abort());
        return answered({ events });
      }
      return outcomeOf(ask, response.ok, (await response.json()) as Json);
    },
  };
}

function queryOf(input: Json): string {
  const members = Object.entries(input).map(([name, value]) => [name, String(value)] as [string, string]);
  return members.length === 0 ? '' : `?${new URLSearchParams(members)}`;
}

function outcomeOf({ operation }: Ask, ok: boolean, body: Json): Outcome {
  if (!ok) {
    const { code, message, details } = body.error as {
      readonly code: string;
      readonly message: string;
      readonly details: { readonly reason: string; readonly fields?: readonly { readonly field: string }[] };
    };
    const fields = (details.fields ?? []).map(({ field }) => field);
    return { ok: false, code, reason: details.reason, message, fields };
  }
  const data = body.data as Json;
  if (operation === 'listAuditEvents')
    return answered({ ...body, data: (body.data as Json[]).map(shownEvent) });
  if (Array.isArray(data)) return answered(body);
  if (operation === 'getDiagnostics') return answered({ peppers: data.peppers });
  if (operation === 'importKeys') {
    const failures = data.failures as readonly { index: number; field: string }[];
    return answered({ ...data, failures: failures.map(({ index, field }) => ({ index, field })) });
  }
  return answered(data);
}

/** The events in a stream of Server-Sent Events. */
async function* eventsOf(response: Response): AsyncGenerator<Json> {
  let text = '';
  for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data !== undefined) yield JSON.parse(data) as Json;
    }
  }
}
