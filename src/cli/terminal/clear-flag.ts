import { InvalidArgumentError, Option } from 'commander';
import { CommandError, exitCodes } from './command.ts';

/** `--clear`, which may be repeated; `example` says what becomes of one of the names. */
export function clearOption(names: readonly string[], example: string): Option {
  const description = `empties what this flag sets, as ${example}; repeat for more`;
  return new Option('--clear <flag>', description)
    .choices(names)
    .argParser((name: string, before: string[] = []) => {
      if (names.includes(name)) return [...before, name];
      throw new InvalidArgumentError(`Allowed choices are ${names.join(', ')}.`);
    });
}

/** The fields that flags set, and null for those that are cleared. Throws where one is both, or there is none at all. */
export function withCleared<Name extends string>(
  set: Readonly<Record<string, unknown>>,
  cleared: readonly Name[],
  fieldOf: Readonly<Record<Name, string>>,
  help: string,
): Record<string, unknown> {
  const wanted: Record<string, unknown> = { ...set };
  for (const name of cleared) {
    const field = fieldOf[name];
    if (wanted[field] !== undefined && wanted[field] !== null) {
      throw new CommandError(exitCodes.usage, [`--${name} is both set and cleared`, 'Give one of them.']);
    }
    wanted[field] = null;
  }
  if (Object.values(wanted).some((value) => value !== undefined)) return wanted;
  throw new CommandError(exitCodes.usage, [
    'there is nothing to change',
    `Say what by its flag, or by --clear; see: ${help}`,
  ]);
}
