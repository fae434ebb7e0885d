import { type Element, html } from './markup.ts';

/** Drawn on 16 by 16, with strokes of 1.5. */
const shapes = {
  overview: 'M2 13.5h12M3.5 11V8M8 11V3M12.5 11V6',
  keys: 'M8.2 7.8 13.5 2.5M11.5 4.5l2 2M9 10.5a3.25 3.25 0 1 1-6.5 0 3.25 3.25 0 0 1 6.5 0Z',
  owners: 'M3 13.5v-10l6-1.5v11.5M9 6l4 1.5v6M1.5 13.5h13M5.5 6h1M5.5 9h1',
  activity: 'M1.5 8h3L6.5 3l3 10 2-5h3',
  leaks: 'M8 1.8 2.8 4v4c0 3 2.2 5.2 5.2 6.2 3-1 5.2-3.2 5.2-6.2V4L8 1.8ZM8 5.5v3M8 10.7v.1',
  roles: 'M8 7a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM3 13.8c.5-2.6 2.4-4 5-4s4.5 1.4 5 4',
  requests: 'M2 4.5h9.5M9 2l2.5 2.5L9 7M14 11.5H4.5M7 9l-2.5 2.5L7 14',
  more: 'M3 7.6v.8M2.6 8h.8M8 7.6v.8M7.6 8h.8M13 7.6v.8M12.6 8h.8',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.5 10.5 14 14',
  close: 'M4 4l8 8M12 4l-8 8',
  plus: 'M8 3v10M3 8h10',
  chevron: 'M4.5 6.5 8 10l3.5-3.5',
  back: 'M9.5 3.5 5 8l4.5 4.5',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
} as const;

export type Icon = keyof typeof shapes;

/** A picture beside words, or of what an `aria-label` says: nothing is read out of it. */
export function icon(name: Icon): Element {
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${shapes[name]} /></svg>`;
}
