import { LineCounter, type Node, parseDocument } from 'yaml';
import { CommandError, exitCodes } from '../terminal/command.ts';

/** An export of another product, read whole. */
export interface ExportTree {
  /** Of JSON values; of YAML each scalar is its text, so that a key of digits stays as it is written. */
  readonly value: unknown;
  /** Where something stands: its line in YAML, the path itself in JSON. */
  placeOf(path: readonly (string | number)[]): string;
}

/** The largest export that is read: it stands in memory whole, and that of YAML many times over. */
export const exportBytesMax = { json: 268_435_456, yaml: 16_777_216 };

/** Throws a {@link CommandError}, which quotes nothing of it, for what is neither JSON nor YAML. */
export async function readExport(chunks: AsyncIterable<Uint8Array | string>): Promise<ExportTree> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    const part = Buffer.from(chunk as Uint8Array);
    parts.push(part);
    bytes += part.length;
    if (bytes > exportBytesMax.json) throw tooLarge(exportBytesMax.json);
  }
  const text = new TextDecoder().decode(Buffer.concat(parts));
  if (/^\s*[[{]/.test(text)) return jsonTree(text);
  if (bytes > exportBytesMax.yaml) throw tooLarge(exportBytesMax.yaml);
  return yamlTree(text);
}

function jsonTree(text: string): ExportTree {
  try {
    return { value: JSON.parse(text), placeOf: (path) => path.join('.') };
  } catch {
    throw new CommandError(exitCodes.usage, ['the file cannot be read as JSON']);
  }
}

function yamlTree(text: string): ExportTree {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { schema: 'failsafe', lineCounter, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line } = lineCounter.linePos(error.pos[0]);
    throw new CommandError(exitCodes.usage, [`the file cannot be read as YAML: see line ${line}`]);
  }
  return {
    value: plainValue(document),
    placeOf(path) {
      const at = (document.getIn(path, true) as Node | undefined)?.range?.[0];
      return at === undefined ? path.join('.') : `line ${lineCounter.linePos(at).line}`;
    },
  };
}

function plainValue(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS();
  } catch {
    // Aliases of aliases, of which a small file makes a large one.
    throw new CommandError(exitCodes.usage, ['the file has too many YAML aliases']);
  }
}

function tooLarge(bytesMax: number): CommandError {
  return new CommandError(exitCodes.usage, [
    `the file has more than ${bytesMax / 1_048_576} MiB, which is the most of an export that is read at once`,
    'Split it, or turn it into CSV or JSON lines, which may have any length.',
  ]);
}

export type Members = Readonly<Record<string, unknown>>;

/** The members of an object; none of anything else. */
export function members(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {};
}

/** A list's items; none of anything else. */
export function items(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Text, or a number as such; null for anything else and for what is empty or YAML's `~`. */
export function textOf(value: unknown): string | null {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && !['', '~', 'null'].includes(value) ? value : null;
}

/** A number, or text that is one; null for anything else. */
export function numberOf(value: unknown): number | null {
  const text = textOf(value);
  const number = text === null ? Number.NaN : Number(text);
  return Number.isFinite(number) ? number : null;
}

export function isTrue(value: unknown): boolean {
  return value === true || value === 'true' || value === 1;
}

export function isFalse(value: unknown): boolean {
  return value === false || value === 'false' || value === 0;
}
