import { chmod, lstat, unlink } from 'node:fs/promises';

/** Removes the socket that a crashed process left behind; anything else in its place is left alone. */
export async function prepareSocket(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found?.isSocket()) await unlink(path);
}

/** Lets every user of the machine connect, Envoy's own among them; the folder's rights say who may reach it. */
export async function publishSocket(path: string): Promise<void> {
  await chmod(path, 0o777);
}
