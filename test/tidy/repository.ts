import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { posix } from 'node:path';
import { type Node, parse } from 'acorn';

/** A text file of the repository. */
export interface File {
  /** From the repository's root, as in `src/keys/key.ts`. */
  readonly path: string;
  readonly text: string;
}

/** Something that breaks a rule, as `path:line what`. */
export type Violation = string;

/** All that is or could be committed, without binaries and what is generated. */
export function readRepository(): File[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    encoding: 'utf8',
  });
  return listed
    .split('\0')
    .filter((path) => path !== '' && !path.startsWith('src/grpc/gen/') && existsSync(path))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }))
    .filter(({ text }) => !text.includes('\0'));
}

/** Every place where `pattern`, which has the flag g, is found. */
export function find(file: File, pattern: RegExp, what: string): Violation[] {
  return [...file.text.matchAll(pattern)].map((match) => {
    const start = match.index + match[0].search(/\S/);
    return `${file.path}:${file.text.slice(0, start).split('\n').length} ${what}`;
  });
}

/** The file with comments blanked, for rules about code; lines stay where they are. */
export function withoutComments(file: File): File {
  const blank = (comment: string) => comment.replaceAll(/[^\n]/g, ' ');
  const text = file.text.replaceAll(/\/\*[\s\S]*?\*\//g, blank).replaceAll(/(?<=^|\s)\/\/.*$/gm, blank);
  return { ...file, text };
}

export interface Import {
  /** As written, or the path from the root where it names a file of ours. */
  readonly target: string;
  /** Whether it names a file of ours. */
  readonly isOurs: boolean;
  readonly isType: boolean;
  /** The whole statement. */
  readonly statement: string;
  readonly line: number;
}

/** What a module names: static and dynamic imports, re-exports, and files beside it by `new URL`. */
export function importsOf(file: File): Import[] {
  const statements =
    /^(?:import|export)\b[^;'"]*?['"]([^'"]+)['"]|\b(?:import|new URL)\(\s*['"]([^'"]+)['"]/gm;
  return [...withoutComments(file).text.matchAll(statements)].flatMap((match) => {
    const named = match[1] ?? match[2] ?? '';
    if (match[1] !== undefined && /^export (?!\*|\{|type \{)/.test(match[0])) return [];
    const isOurs = named.startsWith('.');
    const target = isOurs ? posix.join(posix.dirname(file.path), named) : named;
    const line = file.text.slice(0, match.index).split('\n').length;
    return [
      { target, isOurs, isType: /^(?:import|export) type\b/.test(match[0]), statement: match[0], line },
    ];
  });
}

export interface Measured {
  readonly line: number;
  /** How long it is, where each function inside it counts as one line: a factory is not its methods. */
  readonly lines: number;
}

/** Every function in a module. */
export function functionsOf(file: File): Measured[] {
  const script = file.path.endsWith('.ts') ? stripTypeScriptTypes(file.text) : file.text;
  const functions: Measured[] = [];
  /** Returns how many lines the outermost functions in `value` hide. */
  const visit = (value: unknown): number => {
    if (Array.isArray(value)) return value.reduce((hidden, item) => hidden + visit(item), 0);
    if (!isNode(value)) return 0;
    const hidden = visit(Object.values(value));
    if (!/Function/.test(value.type) || !value.loc) return hidden;
    const { start, end } = value.loc;
    functions.push({ line: start.line, lines: end.line - start.line + 1 - hidden });
    return end.line - start.line;
  };
  visit(parse(script, { ecmaVersion: 'latest', sourceType: 'module', locations: true, allowHashBang: true }));
  return functions;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}
