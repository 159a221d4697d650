// Answers: what is typical of some figures?

/** @throws Error if there are none. */
export function quantile(figures: readonly number[], fraction: number): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const place = (sorted.length - 1) * fraction;
  const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  if (low === undefined || high === undefined) throw new Error('no figures');
  return low + (high - low) * (place - Math.floor(place));
}

export function median(figures: readonly number[]): number {
  return quantile(figures, 0.5);
}

/** The median where every run gave a figure. */
export function medianOf(figures: readonly (number | undefined)[]): number | undefined {
  const known = figures.filter((figure) => figure !== undefined);
  return known.length === figures.length ? median(known) : undefined;
}
