import { join, parse } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { settledText } from '../answers/settled-text.ts';
import { type ConnectionFlags, callingCommands, connect } from '../calls/client.ts';
import { reading } from '../files/file-access.ts';
import { CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { carryOut } from './carry-out.ts';
import { readDocuments } from './documents.ts';
import { makePlan, type Step } from './plan.ts';
import { countText, planText } from './plan-text.ts';
import { openSecretFiles } from './secret-files.ts';

interface ApplyFlags extends ConnectionFlags {
  readonly dryRun?: boolean;
  readonly prune?: boolean;
  readonly secrets?: string;
  readonly set?: string;
  readonly yes?: boolean;
}

/** `apply`. `exit` takes 3 where a dry run finds something to change. */
export function addApplyCommand(program: Command, io: Io, exit: (code: number) => void): void {
  const description =
    'Makes owners, roles and keys what YAML documents say: makes what is missing, changes what differs, and leaves ' +
    'alone what they do not name. Prints a plan first, + made, ~ changed, - revoked. Applied twice, it changes nothing.';
  callingCommands(program)('apply', description, [
    'postern apply keys.yaml --dry-run',
    'postern apply keys.yaml --secrets /run/secrets/postern',
    'postern apply keys/ --set shop --prune --yes --secrets /run/secrets/postern',
  ])
    .argument('<file...>', 'YAML files, folders of them, or - for standard input')
    .option('--dry-run', 'print the plan, change nothing, and end with 3 if something would change')
    .option('--prune', 'revoke keys that this set once made and no longer names')
    .option(
      '--secrets <folder>',
      'where secrets of new keys go, each into a file named by its external_id',
      text,
    )
    .option(
      '--set <name>',
      "what keys of these documents are marked with (default: the first file's name)",
      text,
    )
    .option('--yes', 'revoke without asking')
    .action((files: string[], flags: ApplyFlags) => apply(io, files, flags, exit));
}

async function apply(
  io: Io,
  files: string[],
  flags: ApplyFlags,
  exit: (code: number) => void,
): Promise<void> {
  const set = setOf(files, flags);
  const wanted = await readDocuments(io, pathsOf(io, files, flags));
  const secrets = flags.secrets === undefined ? null : openSecretFiles(io, flags.secrets, wanted);
  const client = await connect(io, flags, { fieldName: (field) => field });
  const hasSecret = secrets === null ? null : secrets.has;
  const plan = await makePlan(client, wanted, { set, prune: flags.prune === true, hasSecret });
  io.stdout.write(planText(plan));
  if (flags.dryRun) {
    if (plan.steps.length > 0) exit(exitCodes.wouldChange);
    return;
  }
  if (plan.steps.length === 0) return;
  if (!flags.yes) await ask(io, files, flags, plan.steps);
  const makesKeys = plan.steps.some(({ kind, act }) => kind === 'Key' && act === 'make');
  if (makesKeys) secrets?.prepare();
  const { done, settled } = await carryOut(client, plan.steps, secrets);
  const what = countText(done);
  const then = 'every replica judges so';
  io.stdout.write(settled === null ? `${what}\n` : settledText(what, then, settled));
  if (makesKeys && secrets === null) io.stderr.write(secretless);
}

const secretless =
  'postern: nobody has the secrets of the keys that were made, since no --secrets says where they go;\n' +
  'applied with --secrets FOLDER, these keys are made anew.\n';

function text(value: string): string {
  if (value.trim() === '') throw new InvalidArgumentError('It is empty.');
  return value;
}

function setOf([first = '']: readonly string[], { set }: ApplyFlags): string {
  if (set !== undefined) return set;
  const { name } = parse(first);
  if (first !== '-' && name !== '' && name !== '.' && name !== '..') return name;
  throw new CommandError(exitCodes.usage, [
    'the set has no name, which it takes from a file',
    'Name it by --set: keys that it makes are marked with it.',
  ]);
}

/** The files, and those of each folder whose names end as YAML's do. */
function pathsOf(io: Io, files: readonly string[], { adminKeyFile }: ApplyFlags): string[] {
  if (files.includes('-') && (adminKeyFile === '-' || files.filter((file) => file === '-').length > 1)) {
    throw new CommandError(exitCodes.usage, [
      'standard input can be read once: as documents, or the admin key',
    ]);
  }
  return files.flatMap((file) => {
    const names = file === '-' ? null : reading(file, () => io.namesIn(file));
    if (names === null) return [file];
    const paths = names.filter((name) => /\.ya?ml$/.test(name)).map((name) => join(file, name));
    if (paths.length > 0) return paths;
    throw new CommandError(exitCodes.usage, [`${file} has no file whose name ends in .yaml or .yml`]);
  });
}

/** Goes on where a person agrees to what is revoked. Throws a {@link CommandError} where none does, or can be asked. */
async function ask(
  io: Io,
  files: readonly string[],
  flags: ApplyFlags,
  steps: readonly Step[],
): Promise<void> {
  const count = steps.filter(({ act }) => act === 'revoke').length;
  if (count === 0) return;
  const keys = count === 1 ? 'key' : 'keys';
  if (!io.stdin.isTTY || files.includes('-') || flags.adminKeyFile === '-') {
    throw new CommandError(exitCodes.usage, [
      `nothing was changed: ${count} ${keys} would be revoked, for good, and nobody can be asked`,
      'Look at the plan, and apply it by --yes.',
    ]);
  }
  io.stderr.write(`Revoke ${count} ${keys}, at once and for good? [y/N] `);
  if (/^(?:y|yes)$/i.test(await firstLine(io))) return;
  throw new CommandError(exitCodes.failed, ['nothing was changed']);
}

async function firstLine({ stdin }: Io): Promise<string> {
  let text = '';
  for await (const chunk of stdin) {
    text += Buffer.from(chunk as Uint8Array).toString();
    if (text.includes('\n') || text.length > 1_000) break;
  }
  return text.split('\n')[0]?.trim() ?? '';
}
