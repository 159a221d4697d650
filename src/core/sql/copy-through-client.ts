/** Why COPY through the client is refused, and what to write instead. */

export const COPY_THROUGH_CLIENT =
  'COPY from STDIN or to STDOUT needs a client that feeds it: write INSERT statements, or load the data in a pre-migration hook';
