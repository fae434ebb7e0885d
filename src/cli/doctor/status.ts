import type { Command } from 'commander';
import type { Finding } from '../../store/diagnosis/finding.ts';
import { version } from '../../version.ts';
import { type ConnectionFlags, callingCommands } from '../calls/client.ts';
import { grouped } from '../import/progress.ts';
import { type ExitCode, exitCodes, type Io } from '../terminal/command.ts';
import { printable, printableJson } from '../terminal/output.ts';
import { examineFiles } from './files.ts';
import { textOf } from './findings-text.ts';
import { askService, type ServiceAnswer } from './service.ts';

interface StatusFlags extends ConnectionFlags {
  readonly config?: string;
  readonly json?: boolean;
}

/** Replicas that are named in text. */
const namedMax = 8;

/** `status`. `exit` takes 0 where nothing is wrong and 1 where something is, as of `doctor`. */
export function addStatusCommand(program: Command, io: Io, exit: (code: ExitCode) => void): void {
  const description =
    'Says on one screen how a running service stands: version, store, keys, replicas, lag, uptime, and what doctor ' +
    'finds. Exits with 0 where nothing is wrong, with 1 on errors and warnings, and with 4 where nobody answers.';
  callingCommands(program)('status', description, [
    'postern status',
    'postern status --address https://postern.internal:8080 --json',
  ])
    .option('--config <file>', 'the settings that the service runs with, else POSTERN_CONFIG')
    .option('--json', 'print it as JSON')
    .action(async (flags: StatusFlags) => {
      const now = () => Date.now();
      const { answer, findings: ofService } = await askService(io, flags, { version, now });
      const files = examineFiles(io.environment, { configFile: flags.config, now: now() });
      const findings = [...ofService, ...files.findings];
      io.stdout.write(flags.json ? printableJson(jsonOf(answer, findings)) : screenOf(answer, findings));
      exit(findings.every(({ level }) => level === 'info') ? exitCodes.done : exitCodes.failed);
    });
}

function jsonOf(answer: ServiceAnswer, findings: readonly Finding[]) {
  return {
    version: answer.version,
    store: { kind: answer.store, reachable: isReachable(answer) },
    keys: answer.keys,
    replicas: answer.replicas,
    uptime_s: answer.uptime_s,
    findings,
  };
}

/** A service of an older version tells of its store by its findings alone. */
function isReachable({ store_reachable, findings }: ServiceAnswer): boolean {
  return store_reachable ?? !findings.some(({ code }) => code === 'store.unreachable');
}

function screenOf(answer: ServiceAnswer, findings: readonly Finding[]): string {
  const { keys, replicas, uptime_s: uptime } = answer;
  const lag = Math.max(0, ...replicas.map(({ lag_ms }) => lag_ms));
  const rows: readonly (readonly [string, string])[] = [
    ['version', answer.version],
    ['store', `${answer.store}, ${isReachable(answer) ? 'reachable' : 'not reachable'}`],
    ['keys', keys === null ? 'not known' : countsOf(keys)],
    ['replicas', replicas.length === 0 ? 'not known' : namesOf(replicas.map(({ id }) => id))],
    [
      'lag',
      replicas.length === 0 ? 'not known' : `${Math.round(lag)} ms${replicas.length > 1 ? ' at most' : ''}`,
    ],
    ['uptime', uptime === null ? 'not known' : lengthOf(uptime)],
  ];
  const lines = rows.map(([name, value]) => `${name.padEnd(8)}  ${printable(value)}\n`).join('');
  const told = findings.filter(({ level }) => level !== 'info');
  const notes = findings.length - told.length;
  const rest = notes === 0 ? '' : `${notes} note${notes === 1 ? '' : 's'}: postern doctor\n`;
  return `${lines}\n${textOf(told, true)}${rest}`;
}

function countsOf(counts: NonNullable<ServiceAnswer['keys']>): string {
  const { active, disabled, revoked, expired } = counts;
  const states = { active, disabled, revoked, expired };
  return Object.entries(states)
    .map(([state, count]) => `${grouped(count)} ${state}`)
    .join(', ');
}

function namesOf(ids: readonly string[]): string {
  const more = ids.length > namedMax ? ` and ${ids.length - namedMax} more` : '';
  return `${ids.length} (${ids.slice(0, namedMax).join(', ')}${more})`;
}

/** The two largest units: `3 d 4 h`, `2 min 5 s`. */
function lengthOf(seconds: number): string {
  const units = [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'min'],
    [1, 's'],
  ] as const;
  const at = units.findIndex(([length]) => seconds >= length);
  const shown = units.slice(at < 0 ? units.length - 1 : at).slice(0, 2);
  let rest = Math.floor(seconds);
  const parts = shown.map(([length, unit]) => {
    const count = Math.floor(rest / length);
    rest -= count * length;
    return `${count} ${unit}`;
  });
  return parts.join(' ');
}
