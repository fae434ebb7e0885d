import { isIP } from 'node:net';

/** Addresses that came lately, and what was found out about them. */
export interface RecentAddresses {
  /** The text of it that all share who came from it lately. */
  shared(address: string): string;
  /** That text, or an empty one where it is no IP address, or one with a zone, which means nothing elsewhere. */
  known(address: string): string;
}

const places = 1_024;

/** By their ends: a table of texts, in which a place has the last that came to it. */
export function createRecentAddresses(): RecentAddresses {
  const texts: string[] = new Array(places).fill('');
  const areAddresses = new Uint8Array(places);

  function placeOf(address: string): number {
    const { length } = address;
    const place = (address.charCodeAt(length - 1) | (address.charCodeAt(length - 2) << 4)) & (places - 1);
    if (texts[place] !== address) {
      texts[place] = address;
      areAddresses[place] = isAddress(address) ? 1 : 0;
    }
    return place;
  }

  return {
    shared: (address) => texts[placeOf(address)] as string,
    known(address) {
      const place = placeOf(address);
      return areAddresses[place] === 1 ? (texts[place] as string) : '';
    },
  };
}

function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%');
}
