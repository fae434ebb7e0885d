import { Failure, type FieldViolation, invalidArgument } from '../../../failure.ts';

/** A request that changes fields of a thing that is there: those that a mask names, or those that are set. */
export interface MaskedUpdate {
  /** The field of the request that holds the thing, as in `key`. */
  readonly place: string;
  /** Null for a mask that is absent or empty; `*` stands for all of `changeable`. */
  readonly mask: readonly string[] | null | undefined;
  /** The thing as it was sent; absent is as one of which nothing is set. */
  readonly message: Readonly<Record<string, unknown>>;
  readonly changeable: readonly string[];
  /** A changeable field in the contract's JSON shape. */
  readonly inputOf: (path: string) => unknown;
}

/**
 * The update in the contract's JSON shape, without the id. A named field that cannot be changed, or is none, is among
 * them, and refused by the reader.
 */
export function maskedInput(update: MaskedUpdate): Record<string, unknown> {
  const { message, changeable, inputOf } = update;
  const paths = pathsOf(update) ?? setFields(message);
  const { etag } = message;
  return Object.fromEntries([
    ...paths.map((path) => [path, changeable.includes(path) ? inputOf(path) : null]),
    ...(etag === '' ? [] : [['etag', etag]]),
  ]);
}

/** Passes on what was thrown, the fields at fault by their places in the request. */
export function toldByPlace(update: MaskedUpdate): (error: unknown) => never {
  const { place, changeable } = update;
  const paths = pathsOf(update) ?? [];
  const placed = ({ field, description }: FieldViolation): FieldViolation => {
    const [member = ''] = field.split('.');
    const isKnown = changeable.includes(member) || ['id', 'etag'].includes(member);
    // A path that is long, or holds what no line may hold, is not told as it was sent.
    const isOfMask = paths.includes(field) || !isKnown;
    return paths.length > 0 && isOfMask && !changeable.includes(field)
      ? { field: 'update_mask', description: `${field}: ${description}` }
      : { field: `${place}.${field}`, description };
  };
  return (error) => {
    if (error instanceof Failure && error.violations.length > 0) {
      const { code, reason, message, violations } = error;
      const told = violations.map(placed);
      throw code === 'INVALID_ARGUMENT' ? invalidArgument(told) : new Failure(code, reason, message, told);
    }
    throw error;
  };
}

function pathsOf({ mask, changeable }: MaskedUpdate): readonly string[] | null {
  if (mask === undefined || mask === null || mask.length === 0) return null;
  return mask.flatMap((path) => (path === '*' ? changeable : [path]));
}

/** Names of fields that have another value than protobuf's default; the id and the etag are no change. */
function setFields({ id: _, etag: __, ...fields }: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(fields)
    .filter(([, value]) => isSet(value))
    .map(([name]) => name);
}

/** Numbers are enums here, whose first is "not given". */
function isSet(value: unknown): boolean {
  if (value === undefined || value === '' || value === 0 || value === false) return false;
  return typeof value !== 'object' || value === null || Object.keys(value).length > 0;
}
