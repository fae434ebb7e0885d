import type { Allowed } from '../../check/authorize.ts';
import { BackwardWriter } from './backward-writer.ts';
import { createKeyFragments, type KeyFragments } from './key-fragments.ts';
import { writeHeader, writeMember } from './response-fields.ts';

/** Writes what is told of an allowed key: where it was told of one like it, by a copy in which a few texts are put. */
export interface KeyShapes {
  /** `x-postern-key-id`, `-owner`, `-scheme`, `-environment` and `-permissions`. */
  writeHeaders(writer: BackwardWriter, allowed: Allowed): void;
  /** `key_id`, `key_name`, `owner`, `plan`, `scheme`, `environment` and `permissions`. */
  writeMembers(writer: BackwardWriter, allowed: Allowed): void;
}

/** Encoded, with the places of the texts that differ between keys of this shape. */
interface Template {
  readonly bytes: Uint8Array;
  readonly idAt: number;
  readonly ownerAt: number;
  readonly nameAt: number;
}

/** What keys are told by that have the same permissions, and texts of the same lengths. */
interface Shape {
  readonly scheme: string;
  readonly environment: string;
  readonly plan: string | null;
  readonly idLength: number;
  readonly headers: Template;
  readonly members: Template;
  readonly next: Shape | undefined;
}

type ByLengths = Map<number, Shape>;

export interface KeyShapesOptions {
  /** Shapes that are kept, a kilobyte or two each. Default 2 000: names and owners have some hundred pairs of lengths. */
  readonly shapesMax?: number;
  /** Answers of other shapes that are then written whole, until all shapes are made anew. Default 100 000. */
  readonly wholeMax?: number;
}

/** Of a name, past which an answer is written whole. */
const lengthMax = 1_024;

/**
 * Shapes by the list of permissions, which keys in memory share where it is equal, and by the lengths of name and
 * owner. An answer whose lengths are known needs no lengths worked out: copied with its texts put in, it takes a third of
 * the time it takes to write it.
 */
export function createKeyShapes(
  headersTag: number,
  { shapesMax = 2_000, wholeMax = 100_000 }: KeyShapesOptions = {},
): KeyShapes {
  const fragmentsOf = createKeyFragments(headersTag);
  const making = new BackwardWriter();
  let shapes = new Map<readonly string[], ByLengths>();
  let count = 0;
  let whole = 0;
  let latest: Shape | undefined;
  let latestOf: Allowed | undefined;

  return {
    writeHeaders(writer, allowed) {
      const shape = shapeOf(allowed);
      if (shape === undefined || !writeTexts(writer, shape.headers, allowed))
        writeWholeHeaders(writer, allowed, { headersTag, fragments: fragmentsOf(allowed) });
    },
    writeMembers(writer, allowed) {
      const shape = shapeOf(allowed);
      if (shape === undefined || !writeTexts(writer, shape.members, allowed))
        writeWholeMembers(writer, allowed, fragmentsOf(allowed));
    },
  };

  /** Both parts of one answer ask for it. */
  function shapeOf(allowed: Allowed): Shape | undefined {
    if (allowed === latestOf) return latest;
    latest = find(allowed);
    latestOf = allowed;
    return latest;
  }

  function find(allowed: Allowed): Shape | undefined {
    const { key, permissions, plan } = allowed;
    const { id, name, owner, scheme, environment } = key;
    if (name.length >= lengthMax) return undefined;
    const lengths = (owner === null ? 0 : owner.length + 1) * lengthMax + name.length;
    const first = shapes.get(permissions)?.get(lengths);
    for (let shape = first; shape !== undefined; shape = shape.next) {
      if (
        shape.plan === plan &&
        shape.idLength === id.length &&
        shape.scheme === scheme &&
        shape.environment === environment
      )
        return shape;
    }
    return add(allowed, lengths, first);
  }

  function add(allowed: Allowed, lengths: number, next: Shape | undefined): Shape | undefined {
    const { key, permissions, plan } = allowed;
    if (count >= shapesMax) {
      if (++whole < wholeMax) return undefined;
      shapes = new Map();
      count = whole = 0;
    }
    const { id, name, owner, scheme, environment } = key;
    if (!isAscii(id) || !isAscii(name) || !isAscii(owner ?? '')) return undefined;
    const fragments = fragmentsOf(allowed);
    const ofHeaders = writeWholeHeaders(making, allowed, { headersTag, fragments });
    const headers = templateOf(making.take(), allowed, ofHeaders);
    const ofMembers = writeWholeMembers(making, allowed, fragments);
    const members = templateOf(making.take(), allowed, ofMembers);
    const made = { scheme, environment, plan, idLength: id.length, headers, members, next };
    const ofPermissions: ByLengths = shapes.get(permissions) ?? new Map();
    shapes.set(permissions, ofPermissions);
    ofPermissions.set(lengths, made);
    count++;
    return made;
  }
}

/** How many bytes stand behind each text. */
interface Behind {
  readonly id: number;
  readonly owner: number;
  readonly name: number;
}

function writeWholeHeaders(
  writer: BackwardWriter,
  { key: { id, owner } }: Allowed,
  { headersTag, fragments }: { readonly headersTag: number; readonly fragments: KeyFragments },
): Behind {
  writer.encoded(fragments.headers);
  const behindOwner = owner === null ? 0 : writeHeader(writer, headersTag, 'x-postern-owner', owner);
  return { id: writeHeader(writer, headersTag, 'x-postern-key-id', id), owner: behindOwner, name: 0 };
}

function writeWholeMembers(
  writer: BackwardWriter,
  { key: { id, name, owner }, plan }: Allowed,
  fragments: KeyFragments,
): Behind {
  writer.encoded(fragments.metadata);
  writeMember(writer, 'plan', plan);
  const behindOwner = writeMember(writer, 'owner', owner);
  const behindName = writeMember(writer, 'key_name', name);
  return { id: writeMember(writer, 'key_id', id), owner: behindOwner, name: behindName };
}

function templateOf(bytes: Uint8Array, { key }: Allowed, behind: Behind): Template {
  const placeOf = (text: string, after: number) => bytes.length - after - text.length;
  return {
    bytes: Uint8Array.from(bytes),
    idAt: placeOf(key.id, behind.id),
    ownerAt: behind.owner === 0 || key.owner === null ? -1 : placeOf(key.owner, behind.owner),
    nameAt: behind.name === 0 ? -1 : placeOf(key.name, behind.name),
  };
}

/** False, and nothing is written, where a text has characters of several bytes. */
function writeTexts(writer: BackwardWriter, template: Template, { key }: Allowed): boolean {
  const { bytes, idAt, ownerAt, nameAt } = template;
  const { owner } = key;
  writer.encoded(bytes);
  if (
    writer.overwrite(idAt, key.id) &&
    (ownerAt === -1 || owner === null || writer.overwrite(ownerAt, owner)) &&
    (nameAt === -1 || writer.overwrite(nameAt, key.name))
  )
    return true;
  writer.unwrite(bytes.length);
  return false;
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}
