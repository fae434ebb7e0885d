import { z } from 'zod';
import type { Client } from '../calls/client.ts';
import { CommandError } from '../terminal/command.ts';
import { printable } from '../terminal/output.ts';

const place = z.object({
  in: z.enum(['header', 'query', 'cookie']),
  name: z.string(),
  word: z.string().nullable(),
});
/** What `GET /admin/terms` answers; a service of an older version names no places. */
const termsAnswer = z.object({
  data: z.object({ schemes: z.array(z.object({ name: z.string(), places: z.array(place).default([]) })) }),
});

/** Where `postern init` has a proxy listen. */
const proxy = 'http://127.0.0.1:10000/';

/**
 * How a key of a scheme is used: a `curl` line with `$KEY` where it belongs, never the key itself. Null where the service
 * does not say: a hint is no reason to fail.
 */
export async function usageHint(client: Client, scheme: string): Promise<string | null> {
  const terms = await client.call(termsAnswer, 'GET', '/admin/terms').catch((error: unknown) => {
    if (error instanceof CommandError) return null;
    throw error;
  });
  const [usual] = terms?.data.schemes.find(({ name }) => name === scheme)?.places ?? [];
  if (usual === undefined) return null;
  return printable(`curl -i ${argumentsOf(usual)}`);
}

/** In double quotes, since the shell is to put the key in. */
function argumentsOf({ in: part, name: given, word }: z.output<typeof place>): string {
  const name = given.replaceAll(/["$`\\]/g, '\\$&');
  if (part === 'query') return `-G --data-urlencode "${name}=$KEY" ${proxy}`;
  if (part === 'cookie') return `-b "${name}=$KEY" ${proxy}`;
  const header = name.replaceAll(/(?<![a-z])[a-z]/g, (first) => first.toUpperCase());
  return `${proxy} -H "${header}: ${word === null ? '' : `${word} `}$KEY"`;
}
