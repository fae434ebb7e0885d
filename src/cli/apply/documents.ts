import { z } from 'zod';
import { createKeyInput } from '../../admin/admin-input.ts';
import { putOwnerInput } from '../../admin/owner-input.ts';
import { readInput } from '../../admin/read-input.ts';
import { putRoleInput } from '../../admin/roles/role-input.ts';
import { Failure } from '../../failure.ts';
import { type ConfigFile, ConfigFileError, parseConfigDocuments } from '../config/config-file.ts';
import { unreadable } from '../files/file-access.ts';
import { readStandardInput } from '../files/secret-input.ts';
import { CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { printable } from '../terminal/output.ts';

/** The label of a key that says which set made it. */
export const setLabel = 'postern.dev/set';

const kinds = ['Owner', 'Role', 'Key'] as const;
export type Kind = (typeof kinds)[number];
export type Members = Readonly<Record<string, unknown>>;

/** One document: a thing that is to be there, and what is to be so of it. */
export interface Wanted {
  readonly kind: Kind;
  /** A key's `external_id`, the id of an owner or a role. */
  readonly id: string;
  /** Members of the REST body; what it does not name stays as it is. */
  readonly spec: Members;
  /** `FILE:LINE: ` and a problem of a member of `spec`, or of the document. */
  readonly problem: (description: string, member?: string) => string;
}

const documentShape = z.strictObject(
  {
    kind: z.enum(kinds, { error: `expected one of ${kinds.join(', ')}` }),
    external_id: z.string({ error: 'expected a text' }).min(1, 'is empty'),
    spec: z
      .record(z.string(), z.unknown(), { error: 'expected the members of the REST body' })
      .nullish()
      .transform((spec) => spec ?? {}),
  },
  { error: ({ code }) => (code === 'invalid_type' ? 'expected kind, external_id and spec' : undefined) },
);

const elsewhereMade = 'is not for a document: apply makes the secrets of its keys';

/** Members of a body that a document says in another place, or not at all. */
const notHere: Readonly<Record<string, string>> = {
  external_id: 'stands beside spec',
  id: 'stands beside spec, as external_id',
  etag: 'is not for a document: it says how things are to be, whatever they were',
  sha256: elsewhereMade,
  prefix: elsewhereMade,
  last4: elsewhereMade,
  request_id: 'is not for a document: applying it again makes no second key',
};

const fileBytesMax = 16 * 1024 * 1024;

/** Every document of the files, in their order. Throws a {@link CommandError} that has all that is wrong in them. */
export async function readDocuments(io: Io, paths: readonly string[]): Promise<Wanted[]> {
  const problems: string[] = [];
  const wanted: Wanted[] = [];
  for (const path of paths) {
    for (const file of await documentsOf(io, path, problems)) {
      const read = readDocument(file);
      if (Array.isArray(read)) problems.push(...read);
      else wanted.push(read);
    }
  }
  problems.push(...twice(wanted));
  if (problems.length > 0) throw wrongDocuments(problems);
  return wanted;
}

export function wrongDocuments(problems: readonly string[]): CommandError {
  return new CommandError(exitCodes.usage, [
    'nothing was changed, since something is wrong:',
    ...problems.map((problem) => `  ${printable(problem)}`),
  ]);
}

async function documentsOf(io: Io, path: string, problems: string[]): Promise<readonly ConfigFile[]> {
  const name = path === '-' ? 'standard input' : path;
  try {
    return parseConfigDocuments(await textOf(io, path), name);
  } catch (error) {
    if (!(error instanceof ConfigFileError)) throw error;
    problems.push(...error.lines);
    return [];
  }
}

async function textOf(io: Io, path: string): Promise<string> {
  if (path === '-') return readStandardInput(io, 'the documents', fileBytesMax);
  try {
    return io.readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** The document, or what is wrong in it. */
function readDocument({ tree, locate }: ConfigFile): Wanted | string[] {
  const read = documentShape.safeParse(tree);
  if (!read.success) {
    return read.error.issues.flatMap(({ path, message, ...issue }) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => `${locate([key])}: ${key}: is not a member of a document`)
        : [`${locate(path as string[])}: ${path.join('.') || 'the document'}: ${message}`],
    );
  }
  const { kind, external_id: id, spec } = read.data;
  const at = (field: string) => locate(placeOf(field));
  const problem = (description: string, member?: string) =>
    `${member === undefined ? locate([]) : at(member)}: ${kind} ${id}: ${member === undefined ? '' : `${member}: `}${description}`;
  const misplaced = Object.keys(spec).flatMap((field) => {
    const description = Object.hasOwn(notHere, field) ? notHere[field] : undefined;
    return description === undefined ? [] : [{ field, description }];
  });
  const elsewhere = violationsOf(kind, id, spec).filter(
    ({ field }) => !misplaced.some((one) => one.field === field),
  );
  const problems = [...misplaced, ...elsewhere].map(({ field, description }) => problem(description, field));
  return problems.length > 0 ? problems : { kind, id, spec, problem };
}

/** A field of the body as it stands in the document. */
function placeOf(field: string): readonly string[] {
  return field === 'external_id' || field === 'id' ? ['external_id'] : ['spec', ...field.split('.')];
}

/** What the service would say of it, so far as the input itself shows it, and what postern apply says itself. */
function violationsOf(kind: Kind, id: string, spec: Members): Failure['violations'] {
  const isMarked = kind === 'Key' && Object.hasOwn(Object(spec.labels), setLabel);
  const description = 'is the mark of the set that made the key, which postern apply writes itself';
  const own = isMarked ? [{ field: `labels.${setLabel}`, description }] : [];
  try {
    if (kind === 'Owner') readInput(putOwnerInput, { ...spec, id });
    else if (kind === 'Role') readInput(putRoleInput, { ...spec, id });
    // A name is asked for where the key is to be made.
    else readInput(createKeyInput, { name: id, ...spec, external_id: id });
    return own;
  } catch (error) {
    if (error instanceof Failure) return [...error.violations, ...own];
    throw error;
  }
}

/** Documents of which an earlier one is about the same thing. */
function twice(wanted: readonly Wanted[]): string[] {
  const seen = new Set<string>();
  return wanted.flatMap(({ kind, id, spec, problem }) => {
    const name = JSON.stringify([kind, id, kind === 'Key' ? (spec.owner ?? null) : null]);
    const isSeen = seen.has(name);
    seen.add(name);
    return isSeen ? [problem('another document is about the same')] : [];
  });
}
