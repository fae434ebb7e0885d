import { z } from 'zod';
import { adminKeyHint } from '../files/secret-input.ts';
import { CommandError, exitCodes } from '../terminal/command.ts';
import { printable } from '../terminal/output.ts';
import { fromLine, type Target } from './unreachable.ts';

const errorAnswer = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    details: z
      .object({
        reason: z.string().optional(),
        fields: z.array(z.object({ field: z.string(), description: z.string() })).optional(),
      })
      .optional(),
  }),
});

/** The fields that a flag of another name sets. */
const flagOfField: Readonly<Record<string, string>> = {
  permissions: '--permission',
  roles: '--role',
  rate_limits: '--rate-limit',
  ip_allowlist: '--allow-ip',
  principals: '--principal',
  labels: '--label',
  address: '--client-ip',
  grace_period: '--grace',
  etag: '--if-etag',
  ids: '--id',
  key: 'the key',
  id: 'the id',
  units: 'the units',
};

/** An answer that is no good one. */
export interface Refused {
  readonly status: number;
  /** Undefined for what is no JSON. */
  readonly json: unknown;
  readonly headers: Headers;
  readonly target: Target;
  /** Where the admin key was found. */
  readonly adminKeyFrom: string;
  /** Default: by the flag that sets it. */
  readonly fieldName?: (field: string) => string;
}

/** What the service said, and what to do about it. */
export function refusal(refused: Refused): CommandError {
  const { json, adminKeyFrom, fieldName = flagOf } = refused;
  const answer = errorAnswer.safeParse(json);
  if (!answer.success) return notPostern(refused);
  const { code, message, details } = answer.data.error;
  const said = printable(message);
  const fields = details?.fields ?? [];
  if (fields.length > 0) {
    const lines = fields.map(
      ({ field, description }) => `  ${printable(fieldName(field))}: ${printable(description)}`,
    );
    return failed('the service does not take this:', ...lines);
  }
  if (code === 'UNAUTHENTICATED') {
    return failed(`the admin key of ${adminKeyFrom} is not accepted: ${said}`, adminKeyHint);
  }
  if (code === 'PERMISSION_DENIED') return failed(said, 'Call with an admin key that may do this.');
  if (code === 'NOT_FOUND') {
    const { reason = null } = details ?? {};
    if (reason === 'PATH_NOT_FOUND') return failed(...wrongPath(refused.target, said));
    const list = listed.get(reason ?? '');
    const lines = list === undefined ? [said] : [said, `See which there are with "postern ${list} list".`];
    return new CommandError(exitCodes.failed, lines, { reason });
  }
  if (code === 'UNAVAILABLE') {
    const advice = 'See by "postern doctor" what is wrong, or try again in a moment.';
    return new CommandError(exitCodes.failed, [said, advice], { isPassing: true });
  }
  if (code === 'RESOURCE_EXHAUSTED') return failed(said, 'Try again in a moment.');
  if (code === 'INTERNAL') return failed(said, 'Look into the log of the service.');
  return failed(said);
}

/** The command that lists what was not found. */
const listed: ReadonlyMap<string, string> = new Map([
  ['KEY_NOT_FOUND', 'keys'],
  ['OWNER_NOT_FOUND', 'owners'],
  ['ROLE_NOT_FOUND', 'roles'],
]);

/** Something answers at the address that does not speak as Postern does. */
export function notPostern({
  status,
  headers,
  target,
}: Omit<Refused, 'json' | 'adminKeyFrom'>): CommandError {
  const [type, server, location] = ['content-type', 'server', 'location'].map((name) => headers.get(name));
  const sent = [
    type && `It sent ${type}`,
    server && `from ${server}`,
    location && `and points to ${location}`,
  ];
  const what = sent.filter((part) => typeof part === 'string').join(', ');
  const lines = [
    `${target.address} answered ${status}, but not as Postern does`,
    ...(what === '' ? [] : [printable(`${what.replace(/^(?:from|and)/, 'It is $&').slice(0, 200)}.`)]),
    fromLine(target),
    'Say where its HTTP listener is by --address or POSTERN_ADDRESS.',
  ];
  // What stands between may say so while the service is away.
  return new CommandError(exitCodes.failed, lines, { isPassing: [502, 503, 504].includes(status) });
}

/** A Postern answers, and has nothing at the path. */
function wrongPath(target: Target, said: string): string[] {
  const { origin, pathname } = new URL(target.address);
  const advice =
    pathname === '/'
      ? 'The service there does not know this command; it may be older than this command line.'
      : `The service may be at ${origin}, without the path.`;
  return [`${target.address} answered: ${said}`, fromLine(target), advice];
}

function failed(...lines: string[]): CommandError {
  return new CommandError(exitCodes.failed, lines);
}

function flagOf(field: string): string {
  const [first = '', ...rest] = field.replace(/^filter\./, '').split('.');
  if (first.startsWith('(')) return printable(first);
  const flag = flagOfField[first] ?? `--${first.replaceAll('_', '-')}`;
  return printable(rest.length === 0 ? flag : `${flag} (${field})`);
}
