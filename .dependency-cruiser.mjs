// Which file may import which. A rule's comment is what you read when you break it.

/** Matches an npm package, installed or not, by its own name or by its types. */
const npm = (name) => `(^|node_modules/)(@types/)?${name.replace('/', '[/]')}(/|$)`;

/** Files outside `home` must not import the package `name`. */
const livesIn = (name, home, comment) => ({
  name: `${name.replace(/^@/, '').replace('/', '-')}-has-one-home`,
  comment,
  severity: 'error',
  from: { path: '^src/', pathNot: home },
  to: { path: npm(name) },
});

export default {
  forbidden: [
    {
      name: 'core-is-pure',
      comment:
        'src/core decides and does nothing else: it imports only other core files and node:crypto. Move I/O to an adapter, and order to src/engine.',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { pathNot: '^src/core/|^(node:)?crypto$' },
    },
    {
      name: 'engine-speaks-to-ports',
      comment:
        'src/engine imports only core and engine: it speaks to the ports in src/core/ports.ts, and src/app decides what stands behind them.',
      severity: 'error',
      from: { path: '^src/engine/' },
      to: { pathNot: '^src/(core|engine)/' },
    },
    {
      name: 'adapters-stay-apart',
      comment:
        'An adapter imports core, output and its own folder, never another adapter, the engine or the app: what two adapters share is a decision, and belongs to core, or a text for people, and belongs to output, which is as pure as core.',
      severity: 'error',
      from: { path: '^src/adapters/([^/]+)/' },
      to: { path: '^src/', pathNot: '^src/(core|output)/|^src/adapters/$1/' },
    },
    {
      name: 'wiring-has-one-place',
      comment:
        'Only src/app (the commands), src/library and src/index.ts import adapters: everything else asks for a port.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/app/|^src/library/|^src/index\\.ts$|^src/adapters/' },
      to: { path: '^src/adapters/' },
    },
    {
      name: 'edges-are-not-imported',
      comment: 'src/main.ts and src/index.ts are where others come in: nothing in src imports them.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/(main|index)\\.ts$' },
    },
    {
      name: 'output-only-formats',
      comment: 'src/output turns what core knows into text and JSON: it asks nobody for anything.',
      severity: 'error',
      from: { path: '^src/output/' },
      to: { path: '^src/', pathNot: '^src/(core|output)/' },
    },
    {
      name: 'settings-stand-alone',
      comment: 'src/cli and src/config turn words into a Config: they know core, and neither the engine nor the app.',
      severity: 'error',
      from: { path: '^src/(cli|config)/' },
      to: { path: '^src/(engine|app)/' },
    },
    livesIn(
      'pg',
      '^src/adapters/postgres/',
      'Only src/adapters/postgres knows the driver `pg`: ask for a Session or another port of src/core/ports.ts.',
    ),
    livesIn(
      '@kubernetes/client-node',
      '^src/adapters/kubernetes/',
      'Only src/adapters/kubernetes knows the Kubernetes client: report a MigratorEvent instead.',
    ),
    livesIn('winston', '^src/adapters/logs/', 'Only src/adapters/logs knows winston: report a MigratorEvent instead.'),
    livesIn('yargs', '^src/cli/', 'Only src/cli knows yargs: everything else takes a Config.'),
    livesIn(
      'libpg-query',
      '^src/adapters/sql-parser/',
      "Only src/adapters/sql-parser knows PostgreSQL's parser: everything else takes the statements it found.",
    ),
    {
      name: 'library-needs-only-dependencies',
      comment:
        'The library in lib/ is installed with `dependencies` alone: nothing that src/index.ts reaches may import a package that is only bundled into dist/.',
      severity: 'error',
      from: { path: '^src/index\\.ts$' },
      to: { path: ['winston', 'yargs', '@kubernetes/client-node'].map(npm).join('|'), reachable: true },
    },
    {
      name: 'product-does-not-know-its-tests',
      comment:
        'src imports neither test/ nor scripts/ nor bench/: what a test needs is given to the code as an argument.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|scripts|bench)/' },
    },
    {
      name: 'no-cycles',
      comment: 'These files import one another in a circle: move what both need into a third file.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'rooms-point-one-way',
      comment:
        'Two folders import each other: move what both need into one of them, so that arrows between folders point one way.',
      severity: 'error',
      scope: 'folder',
      from: { path: '^src/(engine|adapters)/' },
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'Nobody imports this file and it imports nobody: delete it, or use it.',
      severity: 'error',
      from: { orphan: true, path: '^src/', pathNot: '^src/(main|index)\\.ts$|/hook-worker\\.ts$|\\.d\\.ts$' },
      to: {},
    },
    {
      name: 'imports-resolve',
      comment: 'This import leads nowhere: a wrong name, or a package that is not in package.json.',
      severity: 'error',
      // bench/peers is a package of its own, which only the bench installs.
      from: { pathNot: '^bench/peers/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types', 'default'] },
  },
};
