/** Leaves out what is not set: exactOptionalPropertyTypes tells an absent field from an undefined one. */
type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

export function whereDefined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
