import { isIP } from 'node:net';
import { addressPlaces, createAddressPlaces } from '../store/usage/address-places.ts';

/** Addresses that came lately, and what was found out about them. */
export interface RecentAddresses {
  /** The text of it that all share who came from it lately. */
  shared(address: string): string;
  /** That text, or an empty one where it is no IP address, or one with a zone, which means nothing elsewhere. */
  known(address: string): string;
}

export function createRecentAddresses(): RecentAddresses {
  const areAddresses = new Uint8Array(addressPlaces);
  const { texts, placeOf } = createAddressPlaces((place, address) => {
    areAddresses[place] = isAddress(address) ? 1 : 0;
  });

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
