import type { Command } from 'commander';
import { stringify } from 'yaml';
import { recognise } from '../../schemes/scheme.ts';
import { readSecretFile, readStandardInput } from '../files/secret-input.ts';
import { CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { describe } from '../terminal/describe.ts';
import { ExampleError, type KeyForm, keyFormOf } from './key-form.ts';
import { addOutputFlags, type OutputFlags, writeOut } from './output.ts';

interface SchemeFlags extends OutputFlags {
  readonly name: string;
  readonly exampleFile: string;
}

/** The fewest random bits that settings allow a new key to have. */
const randomBitsMin = 128;

/** `init scheme`: a settings file with a scheme whose keys look like examples. */
export function addInitScheme(init: Command, io: Io): void {
  const command = describe(
    init.command('scheme'),
    'Prints a settings file with a scheme whose keys look like the examples in a file. No example is printed.',
    [
      'postern init scheme --name acme --example-file keys.txt --output postern.yaml',
      'head -n 5 keys.txt | postern init scheme --name acme --example-file -',
    ],
  )
    .requiredOption('--name <name>', 'what the scheme is called')
    .requiredOption('--example-file <file>', 'whole keys, one a line, - for standard input');
  addOutputFlags(command).action(async (flags: SchemeFlags) => {
    const text =
      flags.exampleFile === '-'
        ? await readStandardInput(io, 'example keys, one a line')
        : readSecretFile(io, flags.exampleFile);
    const examples = text
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter((line) => line !== '');
    const made = settingsWith(flags.name, formOf(examples));
    await judge(made, examples);
    writeOut(io, flags, made);
  });
}

function formOf(examples: readonly string[]): KeyForm {
  try {
    return keyFormOf(examples);
  } catch (error) {
    if (error instanceof ExampleError) throw refused([error.message]);
    throw error;
  }
}

function refused(lines: readonly string[]): CommandError {
  return new CommandError(exitCodes.usage, lines);
}

/** Ends the command where the settings are wrong, or do not take an example as a key. */
async function judge(made: string, examples: readonly string[]): Promise<void> {
  const { examineSettings } = await import('../config/settings.ts');
  const { config, problems } = examineSettings({ config: 'made.yaml', set: {} }, {}, () => made);
  if (config === null) throw refused(problems.map((line) => line.replace(/^made\.yaml:[0-9]+: /, '')));
  const [scheme] = config.schemes;
  if (scheme === undefined || !examples.every((example) => recognise(scheme, example) !== null)) {
    throw refused(['the examples do not fit together: no one form takes all of them']);
  }
}

function settingsWith(name: string, form: KeyForm): string {
  const { prefixes, alphabet, lengthMin, lengthMax, hasChecksum } = form;
  const isBare = '' in prefixes;
  const mintLength = isBare ? 0 : Math.max(lengthMax, lengthFor(alphabet));
  const acceptMax = Math.max(lengthMax, mintLength);
  const range = lengthMin === acceptMax ? { length: lengthMin } : { min: lengthMin, max: acceptMax };
  const flow = (value: unknown) => stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd();
  const block = Object.entries(prefixes).map(([text, environment]) => `      ${flow(text)}: ${environment}`);
  const lines = [
    '# A scheme of its own: how keys look, and where they sit in a request. `postern config check FILE` says whether all is',
    "# well, and `postern serve --config FILE` serves it. The words of a denial are the product's until `answers` say others.",
    'schemes:',
    `  - name: ${flow(name)}`,
    '    # Authorization: Bearer KEY. Others: { header: X-API-Key }, { query: api_key }, { cookie: NAME }.',
    '    places: [{ header: Authorization, word: Bearer }]',
    isBare
      ? '    # No prefix: such keys are imported and never made, since nothing tells them from other words.'
      : '    # What a key begins with, and the environment in which it is valid.',
    '    prefixes:',
    ...block,
    `    # The form of ${formTitle(isBare, hasChecksum)}.`,
    `    accept: ${flow({ alphabet, ...range })}`,
  ];
  if (!isBare) {
    lines.push(
      mintLength > lengthMax
        ? `    # How new keys are made: longer than the examples, which have fewer than ${randomBitsMin} random bits.`
        : '    # How new keys are made.',
      `    mint: ${flow({ alphabet, length: mintLength })}`,
    );
  }
  if (hasChecksum)
    lines.push("    # Six characters of CRC-32 at the end, as in GitHub's tokens.", '    checksum: crc32');
  return `${lines.join('\n')}\n`;
}

function formTitle(isBare: boolean, hasChecksum: boolean): string {
  if (isBare) return hasChecksum ? 'what stands before the checksum' : 'a key';
  return hasChecksum ? 'what stands between prefix and checksum' : 'what stands behind the prefix';
}

/** How many characters of an alphabet have as many random bits as a new key needs. */
function lengthFor(written: string): number {
  const size = sizeOf(written);
  return Math.ceil(randomBitsMin / Math.log2(size));
}

/** How many characters an alphabet has that is written in ranges. */
function sizeOf(written: string): number {
  const ranges = [...written.matchAll(/(.)-(.)/g)];
  const inRanges = ranges.reduce(
    (sum, [, first = '', last = '']) => sum + last.charCodeAt(0) - first.charCodeAt(0) + 1,
    0,
  );
  return inRanges + written.length - 3 * ranges.length;
}
