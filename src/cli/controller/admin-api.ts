import { z } from 'zod';
import { type AdminApi, AdminProblem, type Change } from '../../controller/admin.ts';
import { createServiceClock } from '../../controller/service-clock.ts';
import { type Client, type ConnectionFlags, connect } from '../calls/client.ts';
import { streamedEvents } from '../calls/event-stream.ts';
import { CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { printable } from '../terminal/output.ts';

const told = z.object({ type: z.string(), target: z.string().nullable() });

const lineBytesMax = 4 * 1_048_576;
/** The service says at least each 15 s that it is alive. */
const silentMsMax = 45_000;

/** The admin API by the flags and the environment of every command. Throws a {@link CommandError} where these are wrong. */
export async function createAdminApi(calling: Io, flags: ConnectionFlags): Promise<AdminApi> {
  const clock = createServiceClock({ now: Date.now, monotonic: () => calling.clock.now() });
  const io: Io = {
    ...calling,
    async fetch(...request) {
      const response = await calling.fetch(...request);
      clock.see(response.headers.get('date'));
      return response;
    },
  };
  const first = await connect(io, flags, { fieldName: (field) => field });

  return {
    async call(method, path, body) {
      try {
        return await (await client()).call(z.unknown(), method, path, body);
      } catch (error) {
        if (error instanceof CommandError && error.reason?.endsWith('_NOT_FOUND')) return null;
        throw problemOf(error);
      }
    },
    changes,
    now: clock.now,
  };

  /** The admin key is read anew for each call, as it may be rotated; standard input can be read once. */
  async function client(): Promise<Client> {
    return flags.adminKeyFile === '-' ? first : await connect(io, flags, { fieldName: (field) => field });
  }

  async function* changes(signal: AbortSignal): AsyncGenerator<Change, void> {
    const silent = new AbortController();
    const timer = setTimeout(() => silent.abort(), silentMsMax);
    const either = AbortSignal.any([signal, silent.signal]);
    try {
      const bytes = await (await client()).open('/admin/events', { accept: 'text/event-stream' }, either);
      yield { type: 'connected', target: null };
      for await (const { data } of streamedEvents(bytes, lineBytesMax)) {
        timer.refresh();
        const event = told.safeParse(data === null ? null : JSON.parse(data));
        if (event.success) yield event.data;
      }
    } catch (error) {
      throw problemOf(error);
    } finally {
      clearTimeout(timer);
    }
  }
}

function problemOf(error: unknown): AdminProblem {
  if (!(error instanceof CommandError))
    return new AdminProblem(String(error), { isAway: true, cause: error });
  // What a person at a terminal would do about it is of no use in a status.
  const [what = '', ...fields] = error.lines;
  const message = [what, ...fields.filter((line) => line.startsWith('  ')).map((line) => line.trim())].join(
    ' ',
  );
  const isAway = error.isPassing || error.exitCode === exitCodes.unreachable;
  return new AdminProblem(printable(message), { isAway, cause: error });
}
