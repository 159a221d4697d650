/** How durations, counts and sizes are written in text for people. */

/** `850 ms`, `12.3 s`. */
export function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** `1 migration`, `2 migrations`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;

/** `512 bytes`, `1.5 GB`: in powers of 1024, as PostgreSQL's own pg_size_pretty counts. */
export function bytes(count: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(count, 1)) / 10), UNITS.length - 1);
  const size = count / 1024 ** power;
  return `${power === 0 || size >= 100 ? Math.round(size) : Number(size.toFixed(1))} ${UNITS[power]}`;
}
