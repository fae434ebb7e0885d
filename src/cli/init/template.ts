import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { AddressParts } from './addresses.ts';

/** The addresses that a template speaks of, by the names in its placeholders: `<check.port>`, `<upstream>`. */
export type Addresses = Readonly<Record<string, AddressParts>>;

const folder = new URL('./templates/', import.meta.url);

/** A template that ships with the program, with these addresses in it. */
export function fillTemplate(file: string, addresses: Addresses): string {
  const text = readFileSync(new URL(file, folder), 'utf8');
  return text.replaceAll(/<([a-z]+)(?:\.([a-z]+))?>/g, (placeholder, name: string, part = '') => {
    if (name === 'templates') return fileURLToPath(folder);
    const value = addresses[name]?.[part as keyof AddressParts];
    if (value === undefined)
      throw new Error(`${file} has the placeholder ${placeholder}, which nobody fills`);
    return value;
  });
}
