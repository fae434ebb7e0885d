import { type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { error, type Finding, warning } from '../../store/diagnosis/finding.ts';

/** Whether an Envoy that runs as another user may connect to the socket, and nobody may put another in its place. */
export function socketFindings(path: string): Finding[] {
  const found = look(path);
  if (found === 'denied')
    return [folderFinding(path, 'may not be searched by the user who runs this command')];
  if (found === null) {
    const what = 'There is no socket: the service does not run here, or listens elsewhere.';
    return [
      warning('socket.missing', what, 'Start it, or name the settings that it runs with by --config.', path),
    ];
  }
  if (!found.isSocket()) {
    const what = 'Something that is not a socket is in its place: the service cannot listen.';
    return [error('socket.not_socket', what, 'Move it away, or set another path.', path)];
  }
  return [...rightsFindings(path, found), ...foldersOf(path).flatMap((folder) => folderFindings(folder))];
}

function rightsFindings(path: string, { mode }: Stats): Finding[] {
  if ((mode & 0o022) !== 0) return [];
  const what = `Its owner alone may connect, its mode is ${octal(mode)}: an Envoy that runs as another user is shut out.`;
  const cure = `chmod 0666 ${path}, as the service makes it; the rights of its folder say who gets there.`;
  return [warning('socket.rights', what, cure, path)];
}

function folderFindings(folder: string): Finding[] {
  const found = look(folder);
  if (found === null || found === 'denied') return [];
  const findings: Finding[] = [];
  const { mode } = found;
  if ((mode & 0o011) === 0) {
    findings.push(folderFinding(folder, `may be searched by its owner alone, its mode is ${octal(mode)}`));
  }
  const isSticky = (mode & 0o1000) !== 0;
  if ((mode & 0o002) !== 0 && !isSticky) {
    const what = `Every user may put another socket in the place of Postern's: the mode of the folder is ${octal(mode)}.`;
    findings.push(error('socket.folder_open', what, `chmod o-w ${folder}`, folder));
  }
  return findings;
}

function folderFinding(folder: string, how: string): Finding {
  const what = `The folder ${how}: an Envoy that runs as another user does not get to the socket.`;
  return warning('socket.folder', what, `chmod g+x ${folder}, with Envoy's user in its group.`, folder);
}

function foldersOf(path: string): string[] {
  const folder = dirname(path);
  return folder === path ? [] : [folder, ...foldersOf(folder)];
}

function look(path: string): Stats | null | 'denied' {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? null;
  } catch {
    return 'denied';
  }
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}
