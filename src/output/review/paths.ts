/** The path of a file as the repository has it. */
export function pathOf(prefix: string, file: string | undefined): string {
  const folder = prefix.replace(/^(?:\.\/)+/, '').replace(/\/+$/, '');
  return [folder === '.' ? '' : folder, file ?? ''].filter((part) => part !== '').join('/');
}
