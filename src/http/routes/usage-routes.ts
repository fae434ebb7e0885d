import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Admin } from '../../admin/admin.ts';
import { type UsagePage, usageSizeMax } from '../../admin/use/usage-operations.ts';
import { usageCsvHead, usageCsvLine } from '../../usage/usage-csv.ts';
import { usageRowJson } from '../../usage/usage-json.ts';
import { callerOf } from '../caller.ts';
import { type Input, operate, queryInput } from '../input.ts';

/** What keys were used for in all: as JSON, or as CSV for whoever asks for that. */
export function addUsageRoutes(app: FastifyInstance, admin: Admin): void {
  const read = (request: FastifyRequest, input: Input) =>
    operate(input, (value) => admin.getUsage(callerOf(request.raw), value));

  app.get('/admin/usage', async (request, reply) => {
    const input = queryInput(request.url);
    reply.header('vary', 'accept');
    if (!wantsCsv(request)) {
      const { rows, nextPageToken } = await read(request, input);
      return { data: rows.map(usageRowJson), next_page_token: nextPageToken };
    }
    // All rows, unless a page is asked for.
    const isPage = input.fault !== null || Object.hasOwn(Object(input.value), 'page_size');
    const first = await read(request, isPage ? input : withMembers(input, { page_size: usageSizeMax }));
    reply.header('content-disposition', 'attachment; filename="usage.csv"');
    if (isPage && first.nextPageToken !== null) reply.header('x-next-page-token', first.nextPageToken);
    const next = (page_token: string) =>
      read(request, withMembers(input, { page_size: usageSizeMax, page_token }));
    reply.type('text/csv; charset=utf-8; header=present');
    return reply.send(Readable.from(csvOf(first, isPage ? null : next)));
  });
}

/** Line by line in parts; `next` reads the page of that token, where others are to follow. */
async function* csvOf(
  first: UsagePage,
  next: ((token: string) => Promise<UsagePage>) | null,
): AsyncGenerator<string, void> {
  yield usageCsvHead();
  for (let page = first; ; ) {
    if (page.rows.length > 0) yield page.rows.map(usageCsvLine).join('');
    if (page.nextPageToken === null || next === null) return;
    page = await next(page.nextPageToken);
  }
}

function withMembers(input: Input, members: object): Input {
  return input.fault === null ? { value: { ...Object(input.value), ...members }, fault: null } : input;
}

/** Whether CSV is named, and not after JSON. */
function wantsCsv({ headers: { accept = '' } }: FastifyRequest): boolean {
  const types = accept.split(',').map((part) => part.split(';')[0]?.trim().toLowerCase());
  const csv = types.indexOf('text/csv');
  const json = types.indexOf('application/json');
  return csv >= 0 && (json < 0 || csv < json);
}
