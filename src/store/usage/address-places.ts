/** Addresses that came lately, each at a place by its end: a place has the last that came to it. */
export interface AddressPlaces {
  readonly texts: readonly string[];
  /** Where the address is, from now on. */
  placeOf(address: string): number;
}

/** How many places there are: a power of two. */
export const addressPlaces = 1_024;

/** @param onNew is told of an address that was not at its place */
export function createAddressPlaces(onNew: (place: number, address: string) => void): AddressPlaces {
  const texts: string[] = new Array(addressPlaces).fill('');

  return {
    texts,
    placeOf(address) {
      const { length } = address;
      const place = placeOfEnd(address.charCodeAt(length - 1), address.charCodeAt(length - 2));
      if (texts[place] !== address) {
        texts[place] = address;
        onNew(place, address);
      }
      return place;
    },
  };
}

/** By the last character and the one before it: of addresses side by side these differ. */
export function placeOfEnd(last: number, before: number): number {
  return (last | (before << 4)) & (addressPlaces - 1);
}
