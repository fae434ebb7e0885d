import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What is written in place of something else. */
export interface Patch {
  readonly file: string;
  /** Must be in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** Postern, broken on purpose in one place. */
export interface Mutant extends Patch {
  /** What it does wrong. */
  readonly title: string;
  /** What is to be so besides, and breaks nothing. */
  readonly besides?: readonly Patch[];
}

const repository = fileURLToPath(new URL('../../', import.meta.url));
/** As much of the repository as it takes to run a service process from it. */
const parts = ['bin', 'src', 'test/real', 'package.json'];

/** A copy of the repository in a folder of its own, broken; throws where the patch does not apply any more. */
export async function buildMutant({ title, besides = [], ...broken }: Mutant): Promise<{
  readonly root: string;
  remove(): Promise<void>;
}> {
  const root = await mkdtemp(join(tmpdir(), 'postern-mutant-'));
  const remove = () => rm(root, { recursive: true, force: true });
  try {
    await mkdir(join(root, 'test'));
    for (const part of parts) await cp(join(repository, part), join(root, part), { recursive: true });
    await symlink(join(repository, 'node_modules'), join(root, 'node_modules'));
    for (const { file, find, replace } of [broken, ...besides]) {
      const path = join(root, file);
      const found = (await readFile(path, 'utf8')).split(find);
      if (found.length !== 2) {
        throw new Error(`"${title}": what it replaces is ${found.length - 1} times in ${file}:\n${find}`);
      }
      await writeFile(path, found.join(replace));
    }
    return { root, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
