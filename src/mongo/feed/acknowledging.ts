import type { Timestamp } from 'mongodb';
import type { FeedSubscriber } from '../../store/feed/feed.ts';
import type { Fleet } from './fleet.ts';

export interface AcknowledgingDependencies {
  readonly fleet: Pick<Fleet, 'acknowledge'>;
  readonly subscriber: Pick<FeedSubscriber, 'applied'>;
  readonly stopped: () => boolean;
  readonly onError: (error: unknown) => void;
}

/**
 * Says that this replica has applied everything up to a time, once its subscriber has. One write at a time, for the latest
 * that was asked; what fails is made up for when this replica registers again.
 */
export function createAcknowledging(dependencies: AcknowledgingDependencies): (upTo: Timestamp) => void {
  const { fleet, subscriber, stopped, onError } = dependencies;
  let unsaid: Timestamp | null = null;

  async function sayApplied(): Promise<void> {
    while (unsaid !== null && !stopped()) {
      const upTo = unsaid;
      await subscriber.applied?.();
      // The driver does not try it again: see there.
      await fleet
        .acknowledge(upTo)
        .catch(() => fleet.acknowledge(upTo))
        .catch(onError);
      if (unsaid === upTo) unsaid = null;
    }
  }

  return (upTo) => {
    const isUnderWay = unsaid !== null;
    unsaid = upTo;
    if (!isUnderWay) void sayApplied();
  };
}
