// Type-aware lint. Every rule that is switched off says why.
import tseslint from 'typescript-eslint';

/** `process` belongs to src/main.ts: everything else gets what it needs as an argument, and so can be tested and embedded. */
const noProcess = {
  'no-restricted-globals': [
    'error',
    { name: 'process', message: 'Only src/main.ts touches `process`: take argv, env or the signal as an argument.' },
    {
      name: 'console',
      message: 'Report a MigratorEvent instead: the adapters in src/adapters/logs decide how it looks.',
    },
  ],
  'no-restricted-properties': [
    'error',
    {
      object: 'globalThis',
      property: 'process',
      message: 'Only src/main.ts touches `process`: take argv, env or the signal as an argument.',
    },
  ],
  'no-restricted-imports': [
    'error',
    {
      paths: ['node:process', 'process'].map((name) => ({
        name,
        message: 'Only src/main.ts touches `process`: take argv, env or the signal as an argument.',
      })),
    },
  ],
};

/** The core is pure: same input, same answer. */
const pure = [
  { selector: 'AwaitExpression', message: 'src/core decides and never waits: move the waiting to src/engine.' },
  { selector: ':function[async=true]', message: 'src/core decides and never waits: move the waiting to src/engine.' },
  {
    selector: 'NewExpression[callee.name="Date"][arguments.length=0]',
    message: 'src/core has no clock: take the time as an argument.',
  },
  {
    selector: 'MemberExpression[object.name="Date"][property.name="now"]',
    message: 'src/core has no clock: take the time as an argument.',
  },
  {
    selector: 'MemberExpression[object.name="Math"][property.name="random"]',
    message: 'src/core has no dice: take the number as an argument.',
  },
  {
    selector: 'CallExpression[callee.name=/^(setTimeout|setInterval|setImmediate|queueMicrotask|fetch)$/]',
    message: 'src/core does no I/O and has no timers: move this to src/engine or an adapter.',
  },
];

export default tseslint.config(
  { ignores: ['dist/', 'lib/', 'coverage/', 'node_modules/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: false }],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'all' },
      ],
      // `== null` means null or undefined: a cell of a result can be either.
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-eval': 'error',
      'no-param-reassign': 'error',
      'prefer-const': 'error',
      // A number in a message is what one means; objects and promises are still refused.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // `() => resolve()` in one line is plain enough.
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidOperator: true },
      ],
      // A port is asynchronous for all who implement it, also for a fake that has nothing to wait for.
      '@typescript-eslint/require-await': 'off',
      // A polling loop says `while (true)` when it leaves by return.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      ...noProcess,
      'max-lines': ['error', { max: 300 }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', { max: 4 }],
      complexity: ['error', { max: 15 }],
    },
  },
  { files: ['src/core/**/*.ts'], rules: { 'no-restricted-syntax': ['error', ...pure] } },
  {
    files: ['src/main.ts'],
    // This file is the process's edge: the one place for argv, env, signals, streams and the exit code.
    rules: { 'no-restricted-globals': 'off', 'no-restricted-properties': 'off', 'no-restricted-imports': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // chai speaks in properties: expect(x).to.be.true
      '@typescript-eslint/no-unused-expressions': 'off',
      // In a test a value that is not there should throw at that line.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Parsed JSON and caught errors are looked into freely, a wrong guess fails the test.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      // [...text] are its characters as PostgreSQL counts them.
      '@typescript-eslint/no-misused-spread': 'off',
    },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: { ecmaVersion: 2024, sourceType: 'module' },
    rules: { eqeqeq: 'error', 'no-unused-vars': 'error', 'no-unreachable': 'error', 'no-dupe-keys': 'error' },
  },
  {
    files: ['migrations/*.before.mjs', 'examples/**/*.before.mjs'],
    rules: { 'prefer-const': 'error', 'no-var': 'error' },
  },
);
