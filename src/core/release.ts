/** Parses release names: `name/revision@image-tag` is a Job's, `name@image-tag` a pod's. */

/** The revision is Helm's number, or a commit with Argo CD. */
const JOB = /^(?<name>[^@]*)\/[^/@]+@(?<tag>.*)$/s;

/** A pod's release has no revision, so that an upgrade which changes nothing restarts no pod. */
export function isPodRelease(release: string | undefined): boolean {
  return release !== undefined && !JOB.test(release);
}

/** Whether the release is in `known`, or is the pod release of a Job release in `known` (same name and tag). */
export function isKnownRelease(release: string, known: readonly string[]): boolean {
  return known.includes(release) || (isPodRelease(release) && known.some((one) => podReleaseOf(one) === release));
}

/** The name part. Releases without a tag all have the empty name. */
export function releaseName(release: string): string {
  const at = release.indexOf('@');
  return JOB.exec(release)?.groups?.['name'] ?? (at === -1 ? '' : release.slice(0, at));
}

/** The pod release that belongs to a Job's release. */
function podReleaseOf(release: string): string | undefined {
  const groups = JOB.exec(release)?.groups;
  return groups && `${groups['name']}@${groups['tag']}`;
}
