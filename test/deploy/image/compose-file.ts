import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { type Fetchable, fetched, output } from '../fetched.ts';
import { repository } from './image-tree.ts';

export interface ComposeService {
  readonly image: string;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly networks?: readonly string[];
  readonly network_mode?: string;
  readonly profiles?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const MODULE = 'github.com/compose-spec/compose-go/v2';
const VERSION = 'v2.16.2';
const SUM = 'h1:pTp1DqQwJzFd85GzlWsSszKA1ABrV/ySqsClujIcWA8=';

const SCHEMA: Fetchable = {
  name: `compose-go-${VERSION}`,
  note: `the schema of the compose specification, from ${MODULE} ${VERSION}`,
  async fill(folder) {
    const told = await output('go', ['mod', 'download', '-json', `${MODULE}@${VERSION}`], { cwd: folder });
    const { Dir, Sum } = JSON.parse(told) as { Dir: string; Sum: string };
    if (Sum !== SUM) throw new Error(`${MODULE}@${VERSION} has the checksum ${Sum} and not ${SUM}`);
    writeFileSync(join(folder, 'schema.json'), readFileSync(join(Dir, 'schema/compose-spec.json')));
  },
};

/** The repository's docker-compose.yml, its merges done. */
export function readCompose(): ComposeFile {
  return parse(readFileSync(join(repository, 'docker-compose.yml'), 'utf8'), { merge: true }) as ComposeFile;
}

/** What is wrong with a compose file by the specification's own schema, a line each. */
export async function composeProblems(file: unknown): Promise<string[]> {
  const schema = JSON.parse(readFileSync(join(await fetched(SCHEMA), 'schema.json'), 'utf8')) as object;
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  const { $schema: _, ...rest } = schema as { $schema?: string };
  const check = ajv.compile(rest);
  check(file);
  return (check.errors ?? []).map(({ instancePath, message, params }) => {
    const field = params.additionalProperty ?? params.unevaluatedProperty;
    return `${instancePath || '/'} ${message}${field === undefined ? '' : `: ${field}`}`;
  });
}
