import { deserialize, serialize } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createDigester, randomText } from '../../src/keys/secret.ts';
import { readPresets } from '../../src/presets/read.ts';
import { type AnswerValues, type Reason, reasons } from '../../src/schemes/answer.ts';
import { mintSecret, recognise, type Scheme } from '../../src/schemes/scheme.ts';
import {
  changeJudgement,
  checkChanges,
  checkConfigOf,
  type SentCheckConfig,
  sentConfigOf,
} from '../../src/settings/check-config.ts';
import { type Config, readConfig } from '../../src/settings/config.ts';

const secretText = `a-${'b'.repeat(40)}`;
const pepper = Buffer.alloc(32, 7).toString('base64');

const read = (more = '') =>
  readConfig(
    parse(`
    schemes:
      - postern
      - mira
      - name: acme
        places: [{ header: X-Acme-Key }]
        prefixes: { acme_: live, acme_test_: test }
        accept: { alphabet: A-Za-z0-9, length: 32 }
        mint: { alphabet: A-Za-z0-9, length: 32 }
        checksum: hmac
      - name: old
        places: [{ query: key }]
        prefixes: { old_: live }
        accept: { pattern: '[a-f0-9]{32}|[a-f]{8}(-[a-f]{4})+' }
        mint: { alphabet: a-f0-9, length: 32 }
    plans: { pro: { limit: 10, window: 1s } }
    rules: [{ match: { path: /a/* }, permissions: [read:a], cost: 3 }]
    ${more}
  `),
    {
      adminKey: secretText,
      sessionSecret: Buffer.from(secretText).toString('base64'),
      peppers: `p1:${pepper}`,
      checksumKeys: `c1:${pepper}`,
    },
    { presets: readPresets(), judgePattern: () => null },
  );
const config = read();

/** What becomes of settings on their way to a worker: a thread's, or a process's. */
const ways = {
  thread: (sent: SentCheckConfig) => structuredClone(sent),
  process: (sent: SentCheckConfig) => deserialize(serialize(sent)) as SentCheckConfig,
};

describe.each(Object.entries(ways))('the settings that a Check worker is sent, in a %s', (_, send) => {
  const there = checkConfigOf(send(sentConfigOf(config)));
  const pairs = [...config.schemes, config.adminScheme].map((scheme, at): [string, Scheme, Scheme] => {
    const same = [...there.schemes, there.adminScheme][at];
    if (same === undefined) throw new Error(`${scheme.name} did not arrive`);
    return [scheme.name, scheme, same];
  });

  it.each(pairs)('recognise the same keys of %s, and check their ends alike', (_name, here, same) => {
    const texts = samples(here);
    expect(texts.map((text) => recognise(same, text))).toEqual(texts.map((text) => recognise(here, text)));
    expect(texts.map((text) => recognise(here, text) !== null)).toContain(true);
    expect(texts.map((text) => recognise(here, text) !== null)).toContain(false);
  });

  it.each(pairs)('answer for %s in the same words', (_name, here, same) => {
    const values = { reason: 'expired', client_ip: '192.0.2.1', required: ['a'], limit: 3 } as AnswerValues;
    const words = (scheme: Scheme) =>
      reasons.map((reason: Reason) => {
        const { status, headers, body } = scheme.answers[reason];
        return [reason, status, headers, body({ ...values, reason })];
      });
    expect(words(same)).toEqual(words(here));
  });

  it('are the same but for that', () => {
    const data = ({ schemes: _s, adminScheme: _a, ...others }: Partial<Config>) => others;
    expect(data(config)).toMatchObject(data(there));
    expect(Object.keys(there)).toEqual(expect.arrayContaining(['plans', 'rules', 'memory', 'check']));
    expect(there.schemes.map(({ name, places, plans }) => ({ name, places, plans }))).toEqual(
      config.schemes.map(({ name, places, plans }) => ({ name, places, plans })),
    );
  });

  it('make the same digests by their peppers', () => {
    const secret = mintSecret(config.adminScheme, 'live')?.secret.reveal() ?? '';
    expect(createDigester(there.peppers).candidates(secret)).toEqual(
      createDigester(config.peppers).candidates(secret),
    );
  });
});

it('sends a Check worker no secret that it has no use for', () => {
  const sent = serialize(sentConfigOf(config));
  for (const form of [secretText, Buffer.from(secretText).toString('base64')])
    expect(sent.includes(form)).toBe(false);
});

/** Keys of a scheme, and what is none. */
function samples(scheme: Scheme): string[] {
  const minted = ['live', 'test'].flatMap((environment) => {
    const made = mintSecret(scheme, environment);
    return made === null ? [] : [made.secret.reveal()];
  });
  const written = scheme.prefixes.map(({ text }) => `${text}abcdefab-abcd-abcd`);
  const wrong = minted.map((text) => `${text.slice(0, -1)}${text.endsWith('a') ? 'b' : 'a'}`);
  return [...minted, ...written, ...wrong, ...minted.map((text) => `${text}-`), randomText('abc', 40)];
}

describe('what changed of settings that were read again', () => {
  const changes = (more: string) => checkChanges(sentConfigOf(config), sentConfigOf(read(more)));

  it('is nothing where nothing did, and by no more than the log where its level alone did', () => {
    expect(changes('')).toEqual({});
    expect(changes('log: { level: warn }')).toEqual({ logLevel: 'warn' });
    expect(changes('request_log: { enabled: false }')).toEqual({
      requestLog: expect.objectContaining({ isEnabled: false }),
    });
    expect(changeJudgement({})).toBe(false);
    expect(changeJudgement(changes('log: { level: warn }'))).toBe(false);
  });

  it('is the whole of each member that did, by which Checks are judged anew', () => {
    const changed = changes('environment: test');
    expect(changed).toEqual({ environment: 'test' });
    expect(changeJudgement(changed)).toBe(true);
    const before = sentConfigOf(config);
    const rules = [...before.rules, ...before.rules];
    expect(checkChanges(before, { ...before, rules })).toEqual({ rules });
    const schemes = before.schemes.map((scheme) => ({ ...scheme, checksum: null }));
    expect(checkChanges(before, { ...before, schemes })).toEqual({ schemes });
  });
});
