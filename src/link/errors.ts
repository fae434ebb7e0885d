import { ListenError } from '../net/listen.ts';
import { StaleAnswer } from '../store/stale-answer.ts';
import { BadRecord, StoreUnavailable, UnreadableRecord } from '../store/store.ts';

/** An error as it goes over the link. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
}

/** The classes that are told apart at the other end; every other one is an Error of its name there. */
const classes = { UnreadableRecord, StaleAnswer, StoreUnavailable, BadRecord, ListenError } as const;

export function sentError(error: unknown): SentError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: undefined };
  const known = Object.entries(classes).find(([, type]) => error instanceof type);
  const causes = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return { name: known?.[0] ?? error.name, message: `${error.message}${causes}`, stack: error.stack };
}

export function takenError({ name, message, stack }: SentError): Error {
  const prototype = (classes as Readonly<Record<string, { prototype: Error }>>)[name]?.prototype;
  const error = Object.create(prototype ?? Error.prototype) as Error;
  for (const [member, value] of Object.entries({ name, message, stack })) {
    Object.defineProperty(error, member, { value, configurable: true, writable: true, enumerable: false });
  }
  return error;
}
