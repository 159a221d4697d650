/** Can a difference be the work of these files: do they name the object? */

/**
 * Whether one of the texts has the object's own name, or the beginning of it that names what it belongs to: the server
 * calls the sequence of `orders.id` `orders_id_seq`.
 */
export function mentions(texts: readonly string[], object: string): boolean {
  const name = ownName(object);
  const words = new Set(texts.flatMap((text) => text.toLowerCase().match(/[\p{L}\p{N}_$]+/gu) ?? []));
  const parts = name.split('_');
  return parts.some((_, at) => words.has(parts.slice(0, parts.length - at).join('_')));
}

/** `orders_total` of `index orders_total on table public.orders`; `one` of `function public.one(integer)`. */
function ownName(object: string): string {
  const [first = ''] = object.split(/ (?:of|on) (?=[a-z])/);
  const words = first.replace(/\(.*$/s, '').split(' ');
  return (words.at(-1) ?? '').split('.').at(-1)?.replaceAll('"', '').toLowerCase() ?? '';
}
