/** Server reflection: what lets grpcurl, grpcui and `buf curl` explore a listener without proto files. */
import { readFileSync } from 'node:fs';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { type Server, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';

/** Questions that one stream may ask. A client that walks all there is asks fewer than fifty. */
export const STREAM_QUESTIONS_MAX = 200;

export const REFLECTION_SERVICES = [
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
];

/**
 * Adds grpc.reflection.v1 and v1alpha to `server`, listing `services` (full names, as in
 * `envoy.service.auth.v3.Authorization`) and themselves. Symbols of every service that Postern knows
 * can be described; a service outside gen/descriptors.binpb is not listed.
 */
export function addReflection(server: Pick<Server, 'addService'>, services: readonly string[]): void {
  // @grpc/reflection takes what proto-loader gives, but reads nothing of it except these bytes. Handed
  // over as buf wrote them they keep file names and imports, which proto-loader would rewrite such that
  // clients cannot resolve them.
  const everything = {
    format: 'Protocol Buffer 3 EnumDescriptorProto' as const,
    type: {},
    fileDescriptorProtos: readDescriptors(),
  };
  const reflection = new ReflectionService(
    { everything },
    { services: [...services, ...REFLECTION_SERVICES] },
  );
  reflection.addToServer({
    addService(definition, implementation) {
      const answer = implementation.ServerReflectionInfo as (stream: Stream) => void;
      server.addService(definition, {
        ServerReflectionInfo(stream: Stream) {
          answer(stream);
          bound(stream);
        },
      });
    },
  });
}

type Stream = ServerDuplexStream<unknown, unknown>;

/** The library answers every question at once, however slowly the answers are read: hold it back. */
function bound(stream: Stream): void {
  const [answer] = stream.listeners('data');
  let questions = 0;
  stream.removeAllListeners('data').on('data', (question) => {
    questions += 1;
    if (questions > STREAM_QUESTIONS_MAX) {
      stream.removeAllListeners('data').pause();
      const details = `more than ${STREAM_QUESTIONS_MAX} questions on one stream`;
      stream.emit('error', { code: status.RESOURCE_EXHAUSTED, details });
      return;
    }
    answer?.(question);
    if (stream.writableNeedDrain) stream.pause().once('drain', () => stream.resume());
  });
}

/** The files of a google.protobuf.FileDescriptorSet, whose one field is a list of them. */
function readDescriptors(): Buffer[] {
  const reader = new BinaryReader(readFileSync(new URL('./gen/descriptors.binpb', import.meta.url)));
  const files: Buffer[] = [];
  while (reader.pos < reader.len) {
    reader.tag();
    files.push(Buffer.from(reader.bytes()));
  }
  return files;
}
