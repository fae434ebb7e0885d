import {
  Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  parseDocument,
  visit,
} from 'yaml';
import type { SettingPath } from '../../settings/config-problem.ts';

/** A settings file: its tree, and where in the file each part of it stands. */
export interface ConfigFile {
  readonly name: string;
  readonly tree: unknown;
  /** `FILE:LINE` of a part of the tree, or of the nearest part around it. */
  locate(path: SettingPath): string;
}

/** A settings file that cannot be read or is no YAML; each line says where, and what is wrong. */
export class ConfigFileError extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.name = 'ConfigFileError';
    this.lines = lines;
  }
}

const aliasesMax = 100;

/** Reads a settings file by `read`, which throws Node's errors. Throws {@link ConfigFileError}. */
export function readConfigFile(name: string, read: (path: string) => string): ConfigFile {
  let text: string;
  try {
    text = read(name);
  } catch (error) {
    throw new ConfigFileError([`${name} cannot be read: ${whyUnreadable(error)}`]);
  }
  return parseConfigFile(text, name);
}

/** Node's code for an error of the file system, with what it means. */
export function whyUnreadable(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  const meaning = meanings[code];
  return meaning === undefined ? code : `${code}, ${meaning}`;
}

const meanings: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  ESPIPE: 'it is not a file that can be read again',
  EFBIG: 'it has more than 16 MiB',
};

function parseConfigFile(text: string, name: string): ConfigFile {
  const counter = new LineCounter();
  return fileOf(parseDocument(text, { lineCounter: counter, prettyErrors: false }), name, counter);
}

/** All YAML documents of a text, the empty ones left out. Throws {@link ConfigFileError}. */
export function parseConfigDocuments(text: string, name: string): ConfigFile[] {
  const counter = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: counter, prettyErrors: false });
  return [...documents]
    .filter((document): document is Document.Parsed => document instanceof Document)
    .filter(({ contents, errors }) => errors.length > 0 || (contents !== null && !isNothing(contents)))
    .map((document) => fileOf(document, name, counter));
}

function isNothing(node: unknown): boolean {
  return isScalar(node) && node.value === null;
}

function fileOf(document: Document.Parsed, name: string, counter: LineCounter): ConfigFile {
  const lineAt = (offset: number) => `${name}:${Math.max(1, counter.linePos(offset).line)}`;
  const wrong = [...document.errors, ...document.warnings];
  if (wrong.length > 0) {
    // What follows a syntax error is mostly its echo; keys that are there twice are each their own.
    const twice = wrong.filter(({ code }) => code === 'DUPLICATE_KEY');
    const first = wrong.find(({ code }) => code !== 'DUPLICATE_KEY');
    const told = first === undefined ? twice : [first];
    throw new ConfigFileError(told.map(({ pos, message }) => `${lineAt(pos[0])}: ${message}`));
  }
  return {
    name,
    tree: treeOf(document, name, lineAt),
    locate: (path) => lineAt(offsetOf(document, path)),
  };
}

function treeOf(document: Document.Parsed, name: string, lineAt: (offset: number) => string): unknown {
  const dangling: string[] = [];
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return;
      dangling.push(
        `${lineAt(alias.range?.[0] ?? 0)}: there is no anchor &${alias.source} before this alias`,
      );
    },
  });
  if (dangling.length > 0) throw new ConfigFileError(dangling);
  try {
    return document.toJS({ maxAliasCount: aliasesMax }) ?? {};
  } catch (error) {
    // Aliases of aliases that would make a small file as large as memory; the message is yaml's own.
    throw new ConfigFileError([`${name}: ${(error as Error).message}`]);
  }
}

/** Where the part with that path starts, its key included, or what is nearest around it. */
function offsetOf(document: Document.Parsed, path: SettingPath): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      offset = (pair?.key as Node | undefined)?.range?.[0] ?? offset;
      node = pair?.value;
    } else if (isSeq(node) && typeof part === 'number') {
      node = node.items[part];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}
