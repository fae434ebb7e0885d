import type { Io } from './command.ts';

/** What the flag of an owner says wherever a command has one. */
export const ownerFlagNote = "else POSTERN_OWNER; '' for none";

/** The owner that a command acts for: that of `--owner`, else of POSTERN_OWNER. Undefined for none. */
export function actingOwner({ environment }: Io, flag: string | undefined): string | undefined {
  return (flag ?? environment.POSTERN_OWNER) || undefined;
}
