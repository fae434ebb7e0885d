/**
 * Makes src/grpc/gen from the proto files: `npm run generate`. With `--check` it writes nothing and
 * fails when a file there is not what the proto files give.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';

const GENERATED = 'src/grpc/gen';

/** What server reflection can describe besides our own API, with the places that define it. */
const REFLECTED = [
  '--path=node_modules/@grpc/grpc-js-xds/deps/envoy-api/envoy/service/auth/v3/external_auth.proto',
  '--path=node_modules/@grpc/grpc-js-xds/deps/envoy-api/envoy/service/ratelimit/v3/rls.proto',
  '--path=node_modules/grpc-health-check/proto/health',
  '--path=node_modules/@grpc/reflection/build/proto/grpc',
  '--type=envoy.service.auth.v3.Authorization',
  '--type=envoy.service.ratelimit.v3.RateLimitService',
  '--type=grpc.health.v1.Health',
  '--type=grpc.reflection.v1.ServerReflection',
  '--type=grpc.reflection.v1alpha.ServerReflection',
];

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const stale = generate(GENERATED, { write: !process.argv.includes('--check') });
  if (process.argv.includes('--check') && stale.length > 0) {
    console.error(`stale: ${stale.join(', ')}; run \`npm run generate\` and commit the result`);
    process.exit(1);
  }
}

/** Compares `folder` with what the proto files give, mends it if told to, and returns what differed. */
export function generate(folder: string, options: { write: boolean }): string[] {
  const wanted = render();
  const present = globSync('**/*.*', { cwd: folder });
  const differing = [...wanted].filter(([path, bytes]) => !sameBytes(join(folder, path), bytes));
  const surplus = present.filter((path) => !wanted.has(path));
  if (options.write) {
    for (const [path, bytes] of differing) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), bytes);
    }
    for (const path of surplus) rmSync(join(folder, path));
  }
  return [...differing.map(([path]) => path), ...surplus].map((path) => join(folder, path));
}

function render(): Map<string, Buffer> {
  const scratch = mkdtempSync(join(tmpdir(), 'postern-generate-'));
  try {
    buf('generate', '--template=buf.gen.yaml', `--output=${scratch}`);
    buf('generate', '--template=buf.gen.admin.yaml', `--output=${scratch}`);
    // Ours, and what it alone imports, keep their comments, for whoever explores the API with grpcurl.
    const sets = [join(scratch, 'others.binpb'), join(scratch, 'ours.binpb')] as const;
    buf('build', '.', ...REFLECTED, '--exclude-source-info', '--as-file-descriptor-set', `-o=${sets[0]}`);
    buf('build', 'proto', '--as-file-descriptor-set', `-o=${sets[1]}`);
    const made = join(scratch, GENERATED);
    for (const path of globSync('postern/**/*.ts', { cwd: made })) takeEveryName(join(made, path));
    writeFileSync(join(made, 'descriptors.binpb'), joinSets(sets.map((set) => readFileSync(set))));
    const paths = globSync('**/*.*', { cwd: made });
    return new Map(paths.map((path) => [path, readFileSync(join(made, path))]));
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** A map's entry called `__proto__` would be lost in an object that has a prototype, instead of being refused. */
function takeEveryName(path: string): void {
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replaceAll(/(\blabels: )\{\}/g, '$1Object.create(null)'));
}

/** Joins google.protobuf.FileDescriptorSets; a file that several have is taken from the first of them. */
function joinSets(sets: readonly Buffer[]): Buffer {
  const files = new Map<string, Uint8Array>();
  for (const set of sets) {
    const reader = new BinaryReader(set);
    while (reader.pos < reader.len) {
      reader.tag();
      const file = reader.bytes();
      const name = nameOf(file);
      if (!files.has(name)) files.set(name, file);
    }
  }
  const writer = new BinaryWriter();
  for (const file of files.values()) writer.uint32(10).bytes(file);
  return Buffer.from(writer.finish());
}

/** `name` is the first field of a google.protobuf.FileDescriptorProto, whoever wrote it. */
function nameOf(file: Uint8Array): string {
  const reader = new BinaryReader(file);
  if (reader.uint32() !== 10) throw new Error('a file descriptor without a name');
  return reader.string();
}

function buf(...args: string[]): void {
  const { status, error } = spawnSync('node_modules/.bin/buf', args, {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) throw new Error(`buf ${args[0]} failed`, { cause: error });
}

function sameBytes(path: string, bytes: Buffer): boolean {
  try {
    return readFileSync(path).equals(bytes);
  } catch {
    return false;
  }
}
