import type { Document } from 'mongodb';
import { onTestFinished } from 'vitest';
import type { Setting } from '../setting.ts';

/**
 * Makes the server, which runs with `enableTestCommands`, fail these commands of stores until the test has finished,
 * or the returned function is called.
 */
export async function failCommands(
  setting: Pick<Setting, 'client'>,
  data: { failCommands: string[] } & Document,
  mode: Document | string = 'alwaysOn',
): Promise<() => Promise<void>> {
  const admin = setting.client.db('admin');
  const configure = (body: Document) => admin.command({ configureFailPoint: 'failCommand', ...body });
  await configure({ mode, data: { appName: 'postern', ...data } });
  const stop = async () => void (await configure({ mode: 'off' }));
  onTestFinished(stop);
  return stop;
}

/** Whether a command has come to the fail point. */
export async function isEntered(setting: Pick<Setting, 'client'>): Promise<boolean> {
  return (await timesEntered(setting)) > 0;
}

/** How many commands have come to the fail point, since the server began. */
export async function timesEntered(setting: Pick<Setting, 'client'>): Promise<number> {
  const admin = setting.client.db('admin');
  const point = await admin.command({ getParameter: 1, 'failpoint.failCommand': 1 });
  return point['failpoint.failCommand'].timesEntered;
}
