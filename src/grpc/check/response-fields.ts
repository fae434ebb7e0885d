import type { LimitOverride } from '../../check/rate-headers.ts';
import type { BackwardWriter } from './backward-writer.ts';

/** Tags: field × 8 + wire type, 2 for texts and messages, 0 for numbers. */
const struct = { fields: 10, key: 10, value: 18 } as const;
const value = { null: 8, number: 17, text: 26, bool: 32, struct: 42, list: 50 } as const;
const listValues = 10;
const option = { header: 10, append: 18, appendAction: 24 } as const;
const headerValue = { key: 10, value: 18 } as const;
const overwriteIfExistsOrAdd = 2;
const rpcStatus = { code: 8, message: 18 } as const;

/** Of a CheckResponse. `error_response` is newer than the protos that we generate from. */
export const response = { status: 10, denied: 18, ok: 26, metadata: 34, error: 42 } as const;

/**
 * A HeaderValueOption that replaces what is there. Envoy 1.36 and older read only `append`, 1.37.0 took it to be
 * true when unset. Returns how many bytes of what is written then stand behind the text.
 */
export function writeHeader(writer: BackwardWriter, tag: number, name: string, text: string): number {
  const since = writer.length;
  writer.number(option.appendAction, overwriteIfExistsOrAdd);
  writer.message(option.append, writer.length);
  const headerSince = writer.length;
  if (text !== '') writer.text(headerValue.value, text);
  writer.text(headerValue.key, name);
  writer.message(option.header, headerSince);
  writer.message(tag, since);
  return headerSince;
}

/** A member of a Struct; null is a value too. Returns how many bytes stand behind a text. */
export function writeMember(
  writer: BackwardWriter,
  name: string,
  text: string | number | boolean | null,
): number {
  const since = writer.length;
  writeValue(writer, struct.value, text);
  writer.text(struct.key, name);
  writer.message(struct.fields, since);
  return since;
}

export function writeListMember(writer: BackwardWriter, name: string, texts: readonly string[]): void {
  const since = writer.length;
  for (let at = texts.length - 1; at >= 0; at--) writeValue(writer, listValues, texts[at] as string);
  writer.message(value.list, since);
  writer.message(struct.value, since);
  writer.text(struct.key, name);
  writer.message(struct.fields, since);
}

/** A limit of Envoy's, as a struct of a number and a text. */
export function writeOverrideMember(
  writer: BackwardWriter,
  name: string,
  { requests_per_unit, unit }: LimitOverride,
): void {
  const since = writer.length;
  writeMember(writer, 'unit', unit);
  writeMember(writer, 'requests_per_unit', requests_per_unit);
  writer.message(value.struct, since);
  writer.message(struct.value, since);
  writer.text(struct.key, name);
  writer.message(struct.fields, since);
}

export function writeStructMember(
  writer: BackwardWriter,
  name: string,
  members: Readonly<Record<string, string>>,
): void {
  const since = writer.length;
  for (const member of Object.keys(members).reverse()) writeMember(writer, member, members[member] as string);
  writer.message(value.struct, since);
  writer.message(struct.value, since);
  writer.text(struct.key, name);
  writer.message(struct.fields, since);
}

function writeValue(writer: BackwardWriter, tag: number, text: string | number | boolean | null): void {
  const since = writer.length;
  if (text === null) writer.number(value.null, 0);
  else if (typeof text === 'number') writer.double(value.number, text);
  else if (typeof text === 'boolean') writer.number(value.bool, text ? 1 : 0);
  else writer.text(value.text, text);
  writer.message(tag, since);
}

/** The status of a CheckResponse, without which Envoy allows. */
export function writeStatus(writer: BackwardWriter, statusCode: number, message: string): void {
  const since = writer.length;
  if (message !== '') writer.text(rpcStatus.message, message);
  if (statusCode !== 0) writer.number(rpcStatus.code, statusCode);
  writer.message(response.status, since);
}
