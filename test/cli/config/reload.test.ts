import { describe, expect, it } from 'vitest';
import type { Reread } from '../../../src/cli/config/setting-examination.ts';
import { lookAtSettings, readerOf } from '../../../src/cli/config/setting-files.ts';
import { examineSettings } from '../../../src/cli/config/settings.ts';
import { createReload, type ReloadDependencies } from '../../../src/cli/serving/reload.ts';

const flags = { config: 'postern.yaml', set: {} };

/** A reload over one settings file that is a variable. */
function setUp(given: Partial<ReloadDependencies> = {}, environment: Record<string, string> = {}) {
  const files: Record<string, string> = { 'postern.yaml': 'rules: []\n', checksum: 'one', peppers: 'x' };
  const readFile = (path: string) => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error(), { code: 'ENOENT' });
    return text;
  };
  const look = () => lookAtSettings(flags, environment, readFile);
  const lines: { level: string; fields: unknown; message: string | undefined }[] = [];
  const at = (level: string) => (fields: unknown, message?: string) => {
    lines.push({ level, fields, message });
  };
  const log = { info: at('info'), warn: at('warn'), error: at('error') };
  const counted: boolean[] = [];
  const applied: string[] = [];
  const examine = async (found: ReturnType<typeof look>): Promise<Reread> =>
    examineSettings(flags, environment, readerOf(found));
  const { tree, warnings } = examineSettings(flags, environment, readFile);
  const reload = createReload(
    {
      ...{ environment, look, examine, log },
      apply: ({ environment: served }) => applied.push(served),
      count: (isSuccess) => counted.push(isSuccess),
      ...given,
    },
    { files: look(), tree, warnings },
  );
  return { reload, files, lines, counted, applied, examine };
}

describe('files that are looked at', () => {
  it('are read once they are the same at two looks, and then no more', async () => {
    const { reload, files, applied } = setUp();
    await reload.look();
    files['postern.yaml'] = 'environment: te';
    await reload.look();
    files['postern.yaml'] = 'environment: test';
    await reload.look();
    expect(applied).toEqual([]);
    await reload.look();
    await reload.look();
    expect(applied).toEqual(['test']);
  });

  it('are told of once where they are wrong, and read again when they change back', async () => {
    const { reload, files, applied, counted, lines } = setUp();
    const good = files['postern.yaml'];
    delete files['postern.yaml'];
    for (let looks = 0; looks < 4; looks++) await reload.look();
    expect(lines).toEqual([
      {
        level: 'error',
        fields: { problems: ['postern.yaml cannot be read: ENOENT, there is no such file'] },
        message: 'the settings stay as they were: the new ones are wrong',
      },
    ]);
    files['postern.yaml'] = String(good);
    for (let looks = 0; looks < 4; looks++) await reload.look();
    expect([applied, counted]).toEqual([['live'], [false, true]]);
  });

  it('count also where a variable names them, and a secret that needs a restart is named, not shown', async () => {
    const environment = { POSTERN_ENVIRONMENT_FILE: 'served', POSTERN_PEPPERS_FILE: 'peppers' };
    const pepper = (id: string) => `${id}:${Buffer.alloc(32, id).toString('base64')}`;
    const { reload, files, applied, lines } = setUp({}, environment);
    files.served = 'test\n';
    files.peppers = pepper('a');
    await reload.now();
    expect(applied).toEqual(['test']);
    files.peppers = `${pepper('b')},${pepper('a')}`;
    await reload.now();
    expect(lines.at(-1)).toMatchObject({
      level: 'warn',
      fields: { settings: expect.arrayContaining(['POSTERN_PEPPERS']) },
    });
    expect(JSON.stringify(lines)).not.toContain(pepper('b'));
  });
});

describe('what is asked for at once', () => {
  it('is read without a second look, and many who ask meanwhile are answered by one more reading', async () => {
    let readings = 0;
    const { promise: gate, resolve } = Promise.withResolvers<void>();
    const { reload, examine, applied } = setUp({
      async examine(found) {
        readings++;
        await gate;
        return examine(found);
      },
    });
    const all = Promise.all([reload.now(), reload.now(), reload.now(), reload.now()]);
    resolve();
    await all;
    expect([readings, applied.length]).toEqual([2, 2]);
  });

  it('leaves all as it was when it breaks, and is read at the next time', async () => {
    let isBroken = true;
    const { reload, counted, lines, applied, examine } = setUp({
      examine: async (found) => (isBroken ? Promise.reject(new Error('no thread')) : examine(found)),
    });
    await reload.now();
    expect(lines).toMatchObject([
      { level: 'error', message: 'the settings stay as they were: the new ones could not be read' },
    ]);
    isBroken = false;
    await reload.now();
    expect([counted, applied]).toEqual([[false, true], ['live']]);
  });

  it('takes nothing over once the service stops', async () => {
    const { reload, applied } = setUp();
    const reading = reload.now();
    reload.stop();
    await reading;
    await reload.now();
    expect(applied).toEqual([]);
  });
});
