const hourMs = 3_600_000;
const minuteMs = 60_000;
export const stepMs = 30 * minuteMs;
/** A Monday. */
export const seriesStart = Date.UTC(2030, 0, 7);

/** What one key, or somebody who guesses, does within one step of the series. */
export interface Step {
  /** Requests that are allowed. */
  readonly allowed: number;
  /** Of permissions that the key lacks. */
  readonly outsideScope: number;
  readonly addresses: readonly string[];
}

/** A made-up client: how many requests it makes in the hour at that time, about, and from where. */
export interface Client {
  readonly kind: string;
  /** Whether it comes from another address now and then. */
  readonly hasSecond: boolean;
  perHour(at: number, random: () => number): number;
  addressOf(at: number, random: () => number): string;
}

/** Numbers from 0 to 1 that are the same with each run: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Of a normal distribution with mean 0 and deviation 1: Box and Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

const hourOf = (at: number) => new Date(at).getUTCHours();
const isWeekend = (at: number) => [0, 6].includes(new Date(at).getUTCDay());

/** A day's rhythm: least at 4 o'clock, most at 16. */
const rhythm = (at: number) => 0.55 - 0.45 * Math.cos(((hourOf(at) - 4) / 24) * 2 * Math.PI);

/** What is alike in ordinary clients differs by key, by this number from 0 to 1. */
type Make = (own: number) => Pick<Client, 'perHour'>;

const kinds: Readonly<Record<string, Make>> = {
  // Behind a web page that the world sees, less at weekends; now and then it is talked about.
  page: (own) => ({
    perHour: (at, random) =>
      scale(own, 50, 5_000) *
      rhythm(at) *
      (isWeekend(at) ? 0.6 : 1) *
      (random() < 0.01 ? 5 : 1) *
      noise(random, 0.4),
  }),
  // People in an office, and something that asks now and then at night; sometimes somebody works late.
  office: (own) => ({
    perHour(at, random) {
      const isOpen = !isWeekend(at) && hourOf(at) >= 8 && hourOf(at) < 18;
      if (isOpen) return scale(own, 80, 1_500) * noise(random, 0.5);
      return hourOf(at) >= 18 && hourOf(at) < 22 && random() < 0.03 ? 60 * noise(random, 0.3) : 4;
    },
  }),
  nightly: (own) => ({
    perHour(at, random) {
      // The work is longer on some days than on others.
      const hours = random() < 0.2 ? 2 : 1;
      return hourOf(at) >= 2 && hourOf(at) < 2 + hours ? scale(own, 500, 20_000) * noise(random, 0.3) : 0;
    },
  }),
  weekly: (own) => ({
    perHour: (at, random) =>
      new Date(at).getUTCDay() === 0 && hourOf(at) === 4 ? scale(own, 500, 20_000) * noise(random, 0.3) : 0,
  }),
  monitor: (own) => ({ perHour: () => scale(own, 12, 240) }),
  // Somebody who tries things: a few times a week, at any hour of the day, some dozens or hundreds of requests.
  tinkerer: (own) => ({
    perHour: (at, random) =>
      hourOf(at) >= 7 && hourOf(at) < 23 && random() < 0.02 + 0.06 * own ? 30 + 570 * random() ** 2 : 0,
  }),
  // Grows by a tenth a day.
  growing: (own) => ({
    perHour: (at, random) =>
      scale(own, 20, 400) * 1.1 ** ((at - seriesStart) / (24 * hourMs)) * rhythm(at) * noise(random, 0.3),
  }),
  // Is away for some hours now and then, and then makes up for what it missed.
  backlog: (own) => ({
    perHour(at, random) {
      const usual = scale(own, 50, 1_000) * rhythm(at);
      const place = Math.floor((at - seriesStart) / hourMs) % 61;
      if (place < 3) return 0;
      return (place === 3 ? 4 * usual : usual) * noise(random, 0.3);
    },
  }),
};

function scale(own: number, least: number, most: number): number {
  return least * (most / least) ** own;
}

function noise(random: () => number, deviation: number): number {
  return Math.exp(deviation * normal(random));
}

/** Is tried out by hand at some hours of the day, and goes live at that time. */
export function launchedClient(liveFrom: number): Client {
  return {
    kind: 'launched',
    hasSecond: false,
    perHour(at, random) {
      if (at >= liveFrom) return 800 * rhythm(at) * noise(random, 0.3);
      return hourOf(at) >= 9 && hourOf(at) < 17 && random() < 0.3 ? 20 * noise(random, 0.5) : 0;
    },
    addressOf: () => '192.0.2.99',
  };
}

/** So many ordinary clients, of each kind as many, each with one address or two. */
export function ordinaryClients(count: number, random: () => number): Client[] {
  const names = Object.keys(kinds);
  return Array.from({ length: count }, (_, place) => {
    const kind = names[place % names.length] as string;
    const { perHour } = (kinds[kind] as Make)(random());
    const usual = `198.51.100.${place % 256}`;
    // A second one stands in for the first, from the second day on.
    const hasSecond = random() < 0.3;
    const another = hasSecond ? `203.0.113.${place % 256}` : usual;
    return {
      ...{ kind, hasSecond, perHour },
      addressOf: (at) => (at < seriesStart + 24 * hourMs || (at / hourMs) % 5 !== 0 ? usual : another),
    };
  });
}

/** What a client does in the step that begins at that time: as many as chance has it. */
export function stepOf(client: Client, at: number, random: () => number): Step {
  const mean = (client.perHour(at, random) * stepMs) / hourMs;
  const allowed = Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  return { allowed, outsideScope: 0, addresses: allowed === 0 ? [] : [client.addressOf(at, random)] };
}
