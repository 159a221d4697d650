/** Parts of the driver. The whole of it also brings its pool, which a replica with nothing to do need not load. */
declare module 'pg/lib/client.js' {
  import type pg from 'pg';

  const Client: typeof pg.Client;
  export default Client;
}

declare module 'pg/lib/query.js' {
  /** What the driver calls on it is overridden as a whole. */
  const Query: new (text: string) => object;
  export default Query;
}

declare module 'pg/lib/utils.js' {
  const utils: {
    readonly escapeIdentifier: (name: string) => string;
    readonly escapeLiteral: (text: string) => string;
  };
  export default utils;
}
