import {
  MongoBulkWriteError,
  MongoError,
  MongoErrorLabel,
  MongoNetworkError,
  MongoSystemError,
  MongoWriteConcernError,
} from 'mongodb';
import { ExternalIdTaken } from '../store/records/external-id.ts';
import { DuplicateKey, StoreUnavailable } from '../store/store.ts';

/**
 * Codes with which a server says that it could not do what was asked, not that it would not: the network
 * and shutdowns, elections and step-downs, timeouts, cursors and plans that were killed, write concerns that
 * were not met, routing that moved. https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
 */
const unavailableCodes: ReadonlySet<number> = new Set([
  ...[6, 7, 89, 91, 317, 384, 9001, 11600],
  ...[189, 216, 10058, 10107, 11602, 13435, 13436],
  ...[24, 50, 112, 202, 262, 462],
  ...[43, 175, 237, 11601],
  ...[64, 79, 100, 133, 134, 187],
  ...[150, 234, 249, 13388],
  // An index build that was ended.
  276,
]);

/** Errors of the driver itself that mean the same; some of their classes it does not export. */
const unavailableNames: ReadonlySet<string> = new Set([
  'MongoClientClosedError',
  'MongoExpiredSessionError',
  'MongoNotConnectedError',
  'MongoOperationTimeoutError',
  'MongoServerClosedError',
  'MongoStalePrimaryError',
  'MongoTopologyClosedError',
  'MongoWaitQueueTimeoutError',
]);

const duplicateKeyCode = 11000;

const notAllowedCode = 13;
const namespaceMissingCode = 26;
const refusals: ReadonlyMap<number, string> = new Map([
  [18, 'MongoDB refused the user name or the password'],
  [11, 'MongoDB does not know the user'],
  // Atlas says it so.
  [8000, 'MongoDB refused the user name or the password'],
]);

/** The error that the store's contract names for one of the driver's; the same error when it names none. */
export function mongoError(thrown: unknown): unknown {
  const error = unwrapped(thrown);
  if (isSocketError(error))
    return new StoreUnavailable('the connection to MongoDB was lost', { cause: error });
  if (!(error instanceof MongoError)) return error;
  if (isDuplicate(error))
    return error.message.includes('index: held_external_id ') ? new ExternalIdTaken() : new DuplicateKey();
  const refusal = isNotAllowed(error) ? notAllowed(error) : refusals.get(Number(error.code));
  if (refusal !== undefined) return new StoreUnavailable(refusal, { trouble: 'refused', cause: error });
  if (isUnavailable(error)) {
    return new StoreUnavailable(hintOf(error) ?? 'MongoDB could not be asked', { cause: error });
  }
  return error;
}

/** The command and the database alone: the server's own text goes on with what was sent. */
function notAllowed({ message }: MongoError): string {
  if (/requires authentication/.test(message)) {
    return 'MongoDB asks for a user name and a password, and the address has none';
  }
  const [, database, command] = /not authorized on ([\w.-]+) to execute command \{ (\w+)/.exec(message) ?? [];
  const what = command === undefined ? 'what Postern needs' : `"${command}" on the database "${database}"`;
  return `MongoDB does not allow this user ${what}; give it the role readWrite on the database of Postern`;
}

/** What to look at where no server could be selected; null where there is nothing better to say. */
function hintOf({ name, message }: MongoError): string | null {
  if (name !== 'MongoServerSelectionError') return null;
  const hint = hints.find(([pattern]) => pattern.test(message))?.[1];
  return hint === undefined ? null : `MongoDB could not be asked: ${hint}`;
}

/** What Node and OpenSSL say of a connection that fails, as the driver repeats it. */
const hints: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [
    /before secure TLS connection|wrong version number|packet length too long|tlsv1 alert|record layer/i,
    'it does not speak TLS, and the address asks for it',
  ],
  [
    /self-signed|unable to (?:get|verify)|certificate has expired|altnames|IP: .* is not in the cert/i,
    "the server's certificate is not trusted; see tlsCAFile",
  ],
  [
    /^Server selection timed out/,
    'no server takes writes: the replica set has no primary, or another name than the address says',
  ],
  [/^connection .* closed$/, 'it ends connections as they come; it may ask for TLS, see tls=true'],
  [/ENOTFOUND|EAI_AGAIN/, 'the name of a host in the address is not known'],
];

/** Whether the server does not allow the user what was asked. */
export function isNotAllowed(error: unknown): boolean {
  return error instanceof MongoError && error.code === notAllowedCode;
}

/** Whether there is no such collection. */
export function isNamespaceMissing(error: unknown): boolean {
  return error instanceof MongoError && error.code === namespaceMissingCode;
}

export function isDuplicate(error: unknown): boolean {
  return error instanceof MongoError && error.code === duplicateKeyCode;
}

/** Whether what was done in a transaction is undone, or will be by the next one in its session: it may be made again. */
export function isUndone(error: unknown): boolean {
  return hasLabel(error, MongoErrorLabel.TransientTransactionError) || isNetworkError(error);
}

/** Whether a commit may have been made, and may be asked for again. */
export function isOpen(error: unknown): boolean {
  return hasLabel(error, MongoErrorLabel.UnknownTransactionCommitResult) || isNetworkError(error);
}

function hasLabel(error: unknown, label: MongoErrorLabel): boolean {
  return error instanceof MongoError && error.hasErrorLabel(label);
}

/** The driver leaves labels out where the connection belongs to a pool that was cleared meanwhile. */
function isNetworkError(error: unknown): boolean {
  const cause = unwrapped(error);
  return cause instanceof MongoNetworkError || isSocketError(cause);
}

/** What kept a bulk write from being answered: the driver hides it in an error that tells nothing of its kind. */
function unwrapped(error: unknown): unknown {
  const cause: unknown = error instanceof MongoBulkWriteError ? error.errorResponse : undefined;
  return cause instanceof Error ? cause : error;
}

/** Where in an unordered bulk write there were duplicates; rejects for any other error. */
export async function duplicatesOf(write: Promise<unknown>): Promise<ReadonlySet<number>> {
  try {
    await write;
    return new Set();
  } catch (error) {
    const errors = error instanceof MongoBulkWriteError ? [error.writeErrors].flat() : [];
    const isTold = error instanceof MongoBulkWriteError && error.result.getWriteConcernError() === undefined;
    if (!isTold || errors.length === 0 || errors.some(({ code }) => code !== duplicateKeyCode)) throw error;
    return new Set(errors.map(({ index }) => index));
  }
}

/** Whether the server was not reached, did not answer, or could not act: it may be asked again. */
function isUnavailable(error: MongoError): boolean {
  return (
    error instanceof MongoNetworkError ||
    error instanceof MongoSystemError ||
    error instanceof MongoWriteConcernError ||
    unavailableNames.has(error.name) ||
    unavailableCodes.has(Number(error.code)) ||
    error.hasErrorLabel(MongoErrorLabel.ResumableChangeStreamError) ||
    error.hasErrorLabel(MongoErrorLabel.RetryableWriteError) ||
    error.hasErrorLabel(MongoErrorLabel.TransientTransactionError) ||
    error.hasErrorLabel(MongoErrorLabel.UnknownTransactionCommitResult) ||
    error.hasErrorLabel(MongoErrorLabel.SystemOverloadedError)
  );
}

/** The driver hands on what Node says of a socket when it breaks in the middle of a write. */
function isSocketError(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return /^(?:E[A-Z]+|ERR_(?:SOCKET|STREAM)_[A-Z_]+)$/.test(String(error.code));
}
