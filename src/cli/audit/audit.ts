import type { Command } from 'commander';
import { callingCommands } from '../calls/client.ts';
import type { ExitCode, Io } from '../terminal/command.ts';
import { describe } from '../terminal/describe.ts';
import { exportEvents } from './export.ts';
import { listEvents } from './list.ts';
import { verifyEvents } from './verify.ts';

/** The commands under `audit`. `exit` takes the code of one that ends well. */
export function addAuditCommands(program: Command, io: Io, exit: (code: ExitCode) => void): void {
  const audit = program.command('audit');
  describe(audit, 'Lists, exports and verifies the audit log of admin calls.', [
    'postern audit list --target key_01k0c6h3v8s9w2m4n5p7q8r9t1',
    'postern audit export --append audit.jsonl',
    'postern audit verify audit.jsonl',
  ]);
  const add = callingCommands(audit);
  listEvents(add, io);
  exportEvents(add, io);
  verifyEvents(add, io, exit);
}
