import type { Element, Markup } from './markup.ts';

type Fields = ReadonlyMap<string, string>;
type Props = Readonly<Record<string, unknown>>;

/** A page with what was sent before in its form that is posted to `action`, and everything else as it is. */
export function refilled(markup: Markup, action: string, fields: Fields): Markup {
  return inForm(markup, (element) =>
    element.type === 'form' && propsOf(element).action === action ? filled(element, fields) : null,
  );
}

/** What `change` makes of each element; of those for which it is null, of what is in them. */
function inForm(markup: Markup, change: (element: Element) => Markup): Markup {
  if (Array.isArray(markup)) return markup.map((part: Markup) => inForm(part, change));
  if (!isElement(markup)) return markup;
  const changed = change(markup);
  if (changed !== null) return changed;
  const { children } = propsOf(markup);
  return children === undefined
    ? markup
    : withProps(markup, { children: inForm(children as Markup, change) });
}

function filled(markup: Markup, fields: Fields): Markup {
  return inForm(markup, (element) => {
    const { name, type, value, children } = propsOf(element);
    if (element.type === 'form') return withProps(element, { children: filled(children as Markup, fields) });
    if (typeof name !== 'string' || name === 'token' || type === 'password' || type === 'file') return null;
    const sent = fields.get(name);
    if (type === 'checkbox' || type === 'radio')
      return withProps(element, { checked: sent === (value ?? 'on') });
    if (sent === undefined) return null;
    if (element.type === 'input') return withProps(element, { value: sent });
    if (element.type === 'textarea') return withProps(element, { children: sent });
    return element.type === 'select' ? chosen(element, sent) : null;
  });
}

function chosen(select: Element, sent: string): Markup {
  const { children } = propsOf(select);
  const options = inForm(children as Markup, (element) =>
    element.type === 'option' ? withProps(element, { selected: propsOf(element).value === sent }) : null,
  );
  return withProps(select, { children: options });
}

function isElement(markup: Markup): markup is Element {
  return typeof markup === 'object' && markup !== null && 'props' in markup;
}

function propsOf({ props }: Element): Props {
  return props as Props;
}

function withProps(element: Element, props: Props): Element {
  return { ...element, props: { ...propsOf(element), ...props } };
}
