/** Hook sources for tests of signals. */

/** Logs `ready`, and `told` when its signal aborts, but continues. */
export const STUBBORN_HOOK = `export default ({ log, signal }) => {
  log('ready');
  signal.addEventListener('abort', () => log('told'));
  return new Promise(() => { setInterval(() => undefined, 1_000); });
};
`;
