/** Which Node is new enough. */

/** Required by the Kubernetes client and by Lockstep (package.json, "engines"). */
const OLDEST = [22, 19] as const;

export const NEWER_NODE = 'run it with a newer Node, or use the image, which brings its own';

/** Why a Node version such as `22.19.0` is not supported; undefined if it is. */
export function nodeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined;
  return `Lockstep needs Node ${OLDEST.join('.')} or newer, and this is Node ${version}`;
}
