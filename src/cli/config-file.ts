import { readFileSync } from 'node:fs';
import { isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';

type Path = readonly (string | number)[];

/** A settings file: its tree, and where in the file each part of it stands. */
export interface ConfigFile {
  readonly tree: unknown;
  /** `FILE:LINE` of a part of the tree, or of the nearest part around it. */
  locate(path: Path): string;
}

/** A settings file that can not be read or is no YAML; the message says where. */
export class ConfigFileError extends Error {}

export function readConfigFile(path: string): ConfigFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigFileError(`${path} can not be read: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
  return parseConfigFile(text, path);
}

export function parseConfigFile(text: string, name: string): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    throw new ConfigFileError(`${name}:${lines.linePos(error.pos[0]).line}: ${error.message}`);
  }
  return {
    tree: document.toJS({ maxAliasCount: 100 }) ?? {},
    locate(path) {
      let offset = 0;
      for (let length = 1; length <= path.length; length++) {
        offset =
          offsetOf(document.getIn(path.slice(0, length - 1), true) ?? document.contents, path[length - 1]) ??
          offset;
      }
      return `${name}:${lines.linePos(offset).line}`;
    },
  };
}

/** Where the entry with that key starts, its key included. */
function offsetOf(parent: unknown, key: string | number | undefined): number | null {
  if (isMap(parent)) {
    const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === key);
    return (pair?.key as Node | undefined)?.range?.[0] ?? null;
  }
  const item = (parent as { get?: (key: unknown, keepScalar: boolean) => unknown } | null)?.get?.(key, true);
  return (item as Node | undefined)?.range?.[0] ?? null;
}
