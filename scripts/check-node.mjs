// Answers: is this Node new enough? Plain JavaScript of the oldest kind, so that any Node can say what is wrong.

var wanted = [22, 19];
var found = process.versions.node.split('.').map(Number);

if (found[0] < wanted[0] || (found[0] === wanted[0] && found[1] < wanted[1])) {
  console.error(
    [
      'Lockstep needs Node ' +
        wanted.join('.') +
        ' or newer, and this is Node ' +
        process.versions.node +
        ' (' +
        process.execPath +
        ').',
      '',
      'In a clone, npm scripts run on the Node 24 of the devDependency "node". Its binary comes by an install',
      'script, so it is absent when packages were not installed, or were installed with --ignore-scripts.',
      '',
      '  npm ci              installs everything',
      '  npm rebuild node    fetches the binary alone (also: npm rebuild esbuild)',
      '',
      'Start scripts by npm (npm test, npm run build): only then is that Node first on the PATH.',
    ].join('\n'),
  );
  process.exit(1);
}
