import { error, type Finding, info, warning } from '../../store/diagnosis/finding.ts';
import { grouped } from '../import/progress.ts';

/** What a service says of itself. */
export interface DiagnosticsAnswer {
  readonly version: string;
  readonly peppers: readonly {
    readonly id: string;
    readonly keys: number;
    readonly configured: boolean;
    readonly signing: boolean;
  }[];
  /** Its clock, RFC 3339; null where it does not say. */
  readonly now: string | null;
}

/** What a check looks at. */
interface Examined {
  readonly diagnostics: DiagnosticsAnswer;
  /** Of this command line. */
  readonly version: string;
}

type ServiceCheck = (examined: Examined) => readonly Finding[];

/** Every check of what a service says, in the order in which their findings are told. */
export const serviceChecks: readonly ServiceCheck[] = [unknownPeppers, olderPeppers, otherVersion];

function unknownPeppers({ diagnostics }: Examined): Finding[] {
  return diagnostics.peppers
    .filter(({ configured, keys }) => !configured && keys > 0)
    .map(({ id, keys }) =>
      error(
        'pepper.unknown',
        `${count(keys)} under the pepper ${id}, which is not configured: no Check recognises them.`,
        `Put ${id} back into POSTERN_PEPPERS, behind the one that signs, until doctor counts none under it.`,
      ),
    );
}

function olderPeppers({ diagnostics }: Examined): Finding[] {
  return diagnostics.peppers
    .filter(({ configured, signing }) => configured && !signing)
    .flatMap(({ id, keys }): Finding[] => {
      if (id === '') return keys === 0 ? [] : [withoutPepper(keys)];
      if (keys > 0) return [olderPepper(id, keys)];
      const what = `No key is left under the older pepper ${id}.`;
      return [info('pepper.unused', what, 'It may be dropped from POSTERN_PEPPERS, on all replicas.')];
    });
}

function withoutPepper(keys: number): Finding {
  const cure = 'Each moves to the one that signs at its next use; nothing needs to be done.';
  return info('pepper.none', `${count(keys)} under no pepper.`, cure);
}

function olderPepper(id: string, keys: number): Finding {
  const cure =
    'Each moves to the one that signs at its next use; it may be dropped when none is left, or those left revoked.';
  return info('pepper.older', `${count(keys)} under the older pepper ${id}.`, cure);
}

function otherVersion({ diagnostics, version }: Examined): Finding[] {
  if (diagnostics.version === version) return [];
  const what = `The service runs version ${diagnostics.version}, this command line is ${version}.`;
  return [warning('version.other', what, 'Use the command line of the same version as the service.')];
}

function count(keys: number): string {
  return keys === 1 ? '1 key is' : `${grouped(keys)} keys are`;
}
