/** Why a store that is there cannot do what it is asked. */
export type StoreTrouble = 'full' | 'io' | 'readonly' | 'damaged' | 'lost' | 'refused';

/** What an admin caller is told: no path, no cause. */
export const troubleWords: Readonly<Record<StoreTrouble, string>> = {
  full: "The store's disk is full: nothing can be changed until there is room.",
  io: "The store's file cannot be read or written: its disk is full or broken.",
  readonly: "The store's file is read-only: nothing can be changed.",
  damaged: 'The store is damaged: a backup has to be restored.',
  lost: "The store's file was deleted or replaced: the service has to be started again.",
  refused: "The store refuses the service's user, its password or its rights.",
};
