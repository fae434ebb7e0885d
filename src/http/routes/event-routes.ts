import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Admin } from '../../admin/admin.ts';
import { sendAll, type Watched } from '../../admin/watch-operations.ts';
import { eventJson } from '../../events/events.ts';
import { callerOf } from '../caller.ts';
import type { HttpLog } from '../http-log.ts';
import { type Input, operate, queryInput } from '../input.ts';
import { errorAnswer } from '../status.ts';

/** How soon one whose connection ended should come back. */
const retryMs = 1_000;

/**
 * Events as they happen, as Server-Sent Events (HTML Living Standard, section 9.2): the id of each goes on from there,
 * as `Last-Event-ID` or `resume_token`.
 */
export function addEventRoutes(app: FastifyInstance, admin: Admin, log: HttpLog): void {
  // A HEAD of it would be a watch that nobody sees.
  app.get('/admin/events', { exposeHeadRoute: false }, async (request, reply) => {
    const ended = new AbortController();
    reply.raw.on('close', () => ended.abort());
    const input = watchInput(queryInput(request.url), request.headers['last-event-id']);
    const answers = await operate(input, (value) =>
      admin.watchKeys(callerOf(request.raw), value, ended.signal),
    );
    reply.hijack();
    // nginx would hold the events back.
    reply.type('text/event-stream; charset=utf-8').header('X-Accel-Buffering', 'no');
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) reply.raw.setHeader(name, value);
    }
    reply.raw.write(`retry: ${retryMs}\n\n`);
    try {
      await sendAll(answers, (answer) => write(reply.raw, eventText(answer)), ended.signal);
    } catch (error) {
      // Whoever comes back is told why, if it still holds.
      if (errorAnswer(error) === null) log.error({ err: error, route: '/admin/events' }, 'a watch broke');
    } finally {
      if (reply.raw.writableNeedDrain) reply.raw.destroy();
      else reply.raw.end();
    }
  });
}

/** `types` in one text, with commas; the header is the newer of the two places. */
function watchInput(query: Input, lastEventId: string | string[] | undefined): Input {
  if (query.fault !== null) return query;
  const { types, ...rest } = Object(query.value) as Readonly<Record<string, unknown>>;
  const value = {
    ...rest,
    ...(typeof types === 'string' && { types: types.split(',').filter((type) => type !== '') }),
    ...(typeof lastEventId === 'string' && lastEventId !== '' && { resume_token: lastEventId }),
  };
  return { value, fault: null };
}

/** What has no data moves the id on and tells of no event. */
function eventText({ resumeToken, event }: Watched): string {
  if (event === null) return `: nothing new\nid: ${resumeToken}\n\n`;
  return `id: ${resumeToken}\nevent: ${event.type}\ndata: ${JSON.stringify(eventJson(event))}\n\n`;
}

/** Resolves when more may be written. */
function write(response: ServerResponse, text: string): Promise<void> {
  if (response.write(text)) return Promise.resolve();
  return new Promise((resolve) => {
    response.once('drain', resolve);
  });
}
