import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { ServiceDefinition } from '@grpc/grpc-js';

/**
 * Reads an int64 that a number cannot say exactly as the nearest that it can. The generated code refuses such a message
 * whole, and without a name for the field; so read, it breaks the bound of its field, which says so in the field's name:
 * no field of ours takes numbers beyond 10^15, and no time or duration so many seconds.
 */
class ClampingReader extends BinaryReader {
  override int64(): bigint {
    const value = BigInt(super.int64());
    if (value > Number.MAX_SAFE_INTEGER) return BigInt(Number.MAX_SAFE_INTEGER);
    return value < Number.MIN_SAFE_INTEGER ? BigInt(Number.MIN_SAFE_INTEGER) : value;
  }
}

/** A service whose requests are read so. The generated decoders take a reader in place of bytes. */
export function withClampedNumbers<Service extends ServiceDefinition>(service: Service): Service {
  const methods = Object.entries(service).map(([name, method]) => {
    const decode = method.requestDeserialize as (input: Buffer | BinaryReader) => unknown;
    const clamped = (bytes: Buffer) => decode(new ClampingReader(bytes));
    return [name, { ...method, requestDeserialize: clamped }] as const;
  });
  return Object.fromEntries(methods) as Service;
}
