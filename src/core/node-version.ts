/** Which Node is new enough. */

/** The Kubernetes client needs it, and so do we (package.json, "engines"). */
const OLDEST = [22, 19] as const;

export const NEWER_NODE = 'run it with a newer Node, or use the image, which brings its own';

/** What is wrong with a version of Node such as `22.19.0`; undefined when it will do. */
export function nodeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined;
  return `Lockstep needs Node ${OLDEST.join('.')} or newer, and this is Node ${version}`;
}
