/** Hooks for tests of signals, as the text of a module. */

/** Says `ready`, and `told` when its signal comes; but goes on. */
export const STUBBORN_HOOK = `export default ({ log, signal }) => {
  log('ready');
  signal.addEventListener('abort', () => log('told'));
  return new Promise(() => { setInterval(() => undefined, 1_000); });
};
`;
