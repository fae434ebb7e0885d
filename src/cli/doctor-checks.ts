import { z } from 'zod';
import { grouped } from './import-progress.ts';

/** What `GET /admin/diagnostics` answers, as far as it is looked at here. */
export const diagnosticsAnswer = z.object({
  data: z.object({
    version: z.string(),
    store: z.string(),
    peppers: z.array(
      z.object({ id: z.string(), keys: z.int(), configured: z.boolean(), signing: z.boolean() }),
    ),
  }),
});

export type DiagnosticsAnswer = z.output<typeof diagnosticsAnswer>['data'];

/** Something that an operator should know. */
export interface Finding {
  /** `error`: keys are refused, or will be; `warning`: better not left so; `info`: good to know, nothing is wrong. */
  readonly level: 'error' | 'warning' | 'info';
  /** A sentence. */
  readonly what: string;
  /** What to do about it, a sentence. */
  readonly cure: string;
}

/** What a check looks at. */
export interface Examined {
  readonly diagnostics: DiagnosticsAnswer;
  /** Of this command line. */
  readonly version: string;
}

export type DoctorCheck = (examined: Examined) => readonly Finding[];

/** Every check, in the order in which their findings are told. */
export const doctorChecks: readonly DoctorCheck[] = [unknownPeppers, olderPeppers, otherVersion];

function unknownPeppers({ diagnostics }: Examined): Finding[] {
  return diagnostics.peppers
    .filter(({ configured, keys }) => !configured && keys > 0)
    .map(({ id, keys }) => ({
      level: 'error',
      what: `${count(keys)} under the pepper ${id}, which is not configured: no Check recognises them.`,
      cure: `Put ${id} back into POSTERN_PEPPERS, behind the one that signs, until doctor counts none under it.`,
    }));
}

function olderPeppers({ diagnostics }: Examined): Finding[] {
  return diagnostics.peppers
    .filter(({ configured, signing }) => configured && !signing)
    .flatMap(({ id, keys }): Finding[] => {
      if (id === '') return keys === 0 ? [] : [withoutPepper(keys)];
      if (keys > 0) return [olderPepper(id, keys)];
      const what = `No key is left under the older pepper ${id}.`;
      return [{ level: 'info', what, cure: 'It may be dropped from POSTERN_PEPPERS, on all replicas.' }];
    });
}

function withoutPepper(keys: number): Finding {
  return {
    level: 'info',
    what: `${count(keys)} under no pepper.`,
    cure: 'Each moves to the one that signs at its next use; nothing needs to be done.',
  };
}

function olderPepper(id: string, keys: number): Finding {
  return {
    level: 'info',
    what: `${count(keys)} under the older pepper ${id}.`,
    cure: 'Each moves to the one that signs at its next use; it may be dropped when none is left, or those left revoked.',
  };
}

function otherVersion({ diagnostics, version }: Examined): Finding[] {
  if (diagnostics.version === version) return [];
  const what = `The service runs version ${diagnostics.version}, this command line is ${version}.`;
  return [{ level: 'warning', what, cure: 'Use the command line of the same version as the service.' }];
}

function count(keys: number): string {
  return keys === 1 ? '1 key is' : `${grouped(keys)} keys are`;
}
