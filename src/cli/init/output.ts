import { type Command, InvalidArgumentError } from 'commander';
import { CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { printable } from '../terminal/output.ts';

export interface OutputFlags {
  readonly output?: string;
  readonly force?: boolean;
}

/** Where what is made goes: standard output, or a file that is not there yet. */
export function addOutputFlags(command: Command): Command {
  return command
    .option('--output <file>', 'write it there, and not to standard output', (path: string) => {
      if (path === '') throw new InvalidArgumentError('Expected the name of a file.');
      return path;
    })
    .option('--force', 'replace the file if it is there');
}

export function writeOut(io: Io, { output, force = false }: OutputFlags, text: string): void {
  if (output === undefined) {
    io.stdout.write(text);
    return;
  }
  const name = printable(output);
  try {
    io.writeFile(output, text, { isNew: !force });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : null;
    if (code === null) throw error;
    throw new CommandError(
      exitCodes.usage,
      code === 'EEXIST'
        ? [`${name} is there already, and was left as it is`, 'Name another file, or replace it by --force.']
        : [`${name} cannot be written: ${code}`],
    );
  }
  io.stderr.write(`postern: wrote ${name}\n`);
}
