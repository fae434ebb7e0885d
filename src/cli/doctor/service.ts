import { z } from 'zod';
import { judgeSkew } from '../../store/diagnosis/clock-skew.ts';
import { error, type Finding } from '../../store/diagnosis/finding.ts';
import { type ConnectionFlags, connect } from '../calls/client.ts';
import { CommandError, type Io } from '../terminal/command.ts';
import { type DiagnosticsAnswer, serviceChecks } from './checks.ts';
import type { Examination } from './examination.ts';

const finding = z.object({
  level: z.enum(['error', 'warning', 'info']),
  code: z.string(),
  where: z.string().nullable(),
  what: z.string(),
  cure: z.string(),
});

/** What `GET /admin/diagnostics` answers; a service of an older version says less. */
const diagnosticsAnswer = z.object({
  data: z.object({
    version: z.string(),
    store: z.string(),
    peppers: z.array(
      z.object({ id: z.string(), keys: z.int(), configured: z.boolean(), signing: z.boolean() }),
    ),
    findings: z.array(finding).default([]),
    now: z.iso.datetime().nullable().default(null),
    store_reachable: z.boolean().nullable().default(null),
    keys: z
      .object({ active: z.int(), disabled: z.int(), revoked: z.int(), expired: z.int() })
      .nullable()
      .default(null),
    replicas: z.array(z.object({ id: z.string(), lag_ms: z.number() })).default([]),
    uptime_s: z.number().nullable().default(null),
  }),
});

export type ServiceAnswer = z.output<typeof diagnosticsAnswer>['data'];

interface Asking {
  /** Of this command line. */
  readonly version: string;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** What a running service says of itself, and what is to be said of that; throws what a call throws. */
export async function askService(
  io: Io,
  flags: ConnectionFlags,
  { version, now }: Asking,
): Promise<{ readonly answer: ServiceAnswer; readonly findings: readonly Finding[] }> {
  const client = await connect(io, flags);
  const before = now();
  const { data } = await client.call(diagnosticsAnswer, 'GET', '/admin/diagnostics');
  const findings = [
    ...data.findings,
    ...serviceChecks.flatMap((check) => check({ diagnostics: data, version })),
    ...clockFindings(data, before, now()),
  ];
  return { answer: data, findings };
}

/** The findings about a running service, how its clock stands among them. */
export async function examineService(io: Io, flags: ConnectionFlags, asking: Asking): Promise<Examination> {
  try {
    const { findings } = await askService(io, flags, asking);
    return { findings, isComplete: true };
  } catch (thrown) {
    if (!(thrown instanceof CommandError)) throw thrown;
    const [what = '', ...cure] = thrown.lines;
    return { findings: [error('service.not_asked', what, cure.join('\n'))], isComplete: false };
  }
}

function clockFindings({ now }: DiagnosticsAnswer, before: number, after: number) {
  if (now === null) return [];
  // Anywhere between the question and the answer is no difference.
  const at = Date.parse(now);
  const aheadMs = at > after ? at - after : Math.min(0, at - before);
  const reference = 'the clock of this machine';
  return judgeSkew(aheadMs, { code: 'clock.service', subject: 'The clock of the service', reference });
}
