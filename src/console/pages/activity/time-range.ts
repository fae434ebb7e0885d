const dayMs = 86_400_000;

/** The beginning of what somebody means by a day, a day and a time of it, or a moment; as it came where it is none. */
export function sinceMeant(text: string | null): string | null {
  if (text === null) return null;
  return dayOf(text) === null ? momentMeant(text) : `${text}T00:00:00Z`;
}

/** The end of it: of a day the beginning of the next, so that all of it is in. */
export function untilMeant(text: string | null): string | null {
  if (text === null) return null;
  const day = dayOf(text);
  return day === null ? momentMeant(text) : new Date(day + dayMs).toISOString();
}

/** A time without a zone, as a browser's field has it to the minute or the second, as one of UTC. */
export function utc(local: string | null | undefined): string | null {
  if (!local) return null;
  return /T[0-9]{2}:[0-9]{2}$/.test(local) ? `${local}:00Z` : `${local}Z`;
}

/** Likewise; what is a moment already, or none, stays as it is. */
function momentMeant(text: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?$/.test(text) ? `${utc(text)}` : text;
}

function dayOf(text: string): number | null {
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  return Number.isNaN(time) ? null : time;
}
