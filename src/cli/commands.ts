import { addApplyCommand } from './apply/apply.ts';
import { addAuditCommands } from './audit/audit.ts';
import { addCompletionCommand } from './completion/completion.ts';
import { addConfigCommands } from './config/config-command.ts';
import { addDoctorCommand } from './doctor/doctor.ts';
import { addStatusCommand } from './doctor/status.ts';
import { addImportCommand } from './import/import.ts';
import { addInitCommands } from './init/init.ts';
import { addKeyCommands } from './keys/keys.ts';
import { addOwnerCommands } from './owners/owners.ts';
import { addPortalCommands } from './portal/portal.ts';
import { addBackupCommand } from './restore/backup.ts';
import { addRestoreCommands } from './restore/restore.ts';
import { addRoleCommands } from './roles/roles.ts';
import { addCommands as addServeCommand } from './serving/serve-command.ts';
import type { AddCommands } from './terminal/command.ts';
import { addRequestsCommand } from './use/requests.ts';
import { addWatchCommand } from './watch.ts';

/** All commands, in the order in which help lists them. */
export const addCommands: AddCommands = (program, io, exit) => {
  addServeCommand(program, io, exit);
  addKeyCommands(program, io, exit);
  addConfigCommands(program, io, exit);
  addInitCommands(program, io);
  addOwnerCommands(program, io);
  addRoleCommands(program, io);
  addApplyCommand(program, io, exit);
  addPortalCommands(program, io);
  addImportCommand(program, io, exit);
  addStatusCommand(program, io, exit);
  addDoctorCommand(program, io, exit);
  addAuditCommands(program, io, exit);
  addRequestsCommand(program, io);
  addWatchCommand(program, io);
  addBackupCommand(program, io);
  addRestoreCommands(program, io, exit);
  addCompletionCommand(program, io);
};
