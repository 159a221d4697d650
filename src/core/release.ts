/** What a release's name says: `name/revision@image-tag` is a Job's, `name@image-tag` a pod's. */

/** The revision is Helm's number, or with Argo CD a commit. */
const JOB = /^(?<name>[^@]*)\/[^/@]+@(?<tag>.*)$/s;

/** A pod's release has no revision, so that an upgrade which changes nothing restarts no pod. */
export function isPodRelease(release: string | undefined): boolean {
  return release !== undefined && !JOB.test(release);
}

/** One of `known`, or the pods of a Job that is: same name, same tag. */
export function isKnownRelease(release: string, known: readonly string[]): boolean {
  return known.includes(release) || (isPodRelease(release) && known.some((one) => podReleaseOf(one) === release));
}

/** Whose releases they are; those without a tag are all of the same, nameless one. */
export function releaseName(release: string): string {
  const at = release.indexOf('@');
  return JOB.exec(release)?.groups?.['name'] ?? (at === -1 ? '' : release.slice(0, at));
}

/** Of a Job's release, that of the pods it belongs to. */
function podReleaseOf(release: string): string | undefined {
  const groups = JOB.exec(release)?.groups;
  return groups && `${groups['name']}@${groups['tag']}`;
}
