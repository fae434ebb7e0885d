import { randomBytes } from 'node:crypto';
import { type Cluster, ClusterError } from './cluster.ts';
import { microTime } from './micro-time.ts';
import { apiVersion, type ClusterObject, eventsPath, type Kind } from './objects.ts';

/** Tells those who look at an object what became of it, as `kubectl describe` shows it. */
export interface EventRecorder {
  /** Never rejects: what cannot be told is in the log. */
  tell(kind: Kind, object: ClusterObject, told: Told): Promise<void>;
}

export interface Told {
  /** `Warning`: somebody has to change something. */
  readonly type: 'Normal' | 'Warning';
  /** In CamelCase: of a warning, as the condition has it. */
  readonly reason: string;
  /** What was done or tried, in CamelCase. */
  readonly action: string;
  readonly note: string;
}

export interface EventRecorderOptions {
  /** What this controller is called. */
  readonly identity: string;
  /** Milliseconds, never set back. */
  readonly monotonic: () => number;
  readonly onTrouble: (error: unknown) => void;
}

interface Series {
  readonly note: string;
  readonly path: string;
  count: number;
  writtenAt: number;
}

const reportingController = 'postern.dev/controller';
const noteBytesMax = 1_024;
const instanceLengthMax = 128;
const nameLengthMax = 200;
/** What happens again is one Event, whose count is written so often: API servers keep an Event for an hour. */
const againMs = 300_000;
/** The last of each reason of each object; past that, the oldest begin anew. */
const seriesMax = 10_000;

export function createEventRecorder(cluster: Cluster, options: EventRecorderOptions): EventRecorder {
  const { identity, monotonic, onTrouble } = options;
  const seriesOf = new Map<string, Series>();

  return {
    async tell(kind, object, told) {
      try {
        await record(kind, object, { ...told, note: cut(told.note) });
      } catch (error) {
        onTrouble(error);
      }
    },
  };

  async function record(kind: Kind, object: ClusterObject, told: Told): Promise<void> {
    const key = `${object.metadata.uid}/${told.reason}`;
    const series = seriesOf.get(key);
    if (series?.note === told.note && (await isCountedAgain(series))) return;
    const { namespace = 'default' } = object.metadata;
    const event = eventOf(kind, object, told, { namespace, identity });
    const path = eventsPath(namespace);
    await cluster.call('POST', path, event);
    seriesOf.delete(key);
    const [oldest] = seriesOf.keys();
    if (oldest !== undefined && seriesOf.size >= seriesMax) seriesOf.delete(oldest);
    seriesOf.set(key, {
      note: told.note,
      path: `${path}/${encodeURIComponent(event.metadata.name)}`,
      count: 1,
      writtenAt: monotonic(),
    });
  }

  /** False where the Event is there no more. */
  async function isCountedAgain(series: Series): Promise<boolean> {
    series.count++;
    if (monotonic() - series.writtenAt < againMs) return true;
    try {
      const lastObservedTime = microTime();
      await cluster.call('PATCH', series.path, { series: { count: series.count, lastObservedTime } });
    } catch (error) {
      if (error instanceof ClusterError && error.status === 404) return false;
      throw error;
    }
    series.writtenAt = monotonic();
    return true;
  }
}

/** As `events.k8s.io/v1` has it. An Event about what belongs to the whole cluster is in `default`. */
function eventOf(
  { kind }: Kind,
  { metadata: { name, namespace, uid, resourceVersion } }: ClusterObject,
  told: Told,
  by: { readonly namespace: string; readonly identity: string },
) {
  const start = name.slice(0, nameLengthMax).replace(/[-.]+$/, '');
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `${start}.${randomBytes(8).toString('hex')}`, namespace: by.namespace },
    eventTime: microTime(),
    reportingController,
    reportingInstance: by.identity.slice(0, instanceLengthMax),
    regarding: {
      apiVersion,
      kind,
      name,
      ...(namespace !== undefined && { namespace }),
      uid,
      resourceVersion,
    },
    ...told,
  };
}

/** At most so many bytes, and no half of a character. */
function cut(note: string): string {
  const bytes = Buffer.from(note);
  if (bytes.length <= noteBytesMax) return note;
  return bytes.subarray(0, noteBytesMax).toString().replace(/�+$/, '');
}
