/** Which words may follow, as a shell asks on TAB? A script for each shell, from the OPTIONS table. */
import { COMMAND_NAMES, COMMANDS, TOPICS } from './commands.ts';
import { MigratorError } from '../core/errors.ts';
import type { CommandName } from '../core/runner.ts';
import { shown } from '../config/option-values.ts';
import { belongsTo, flagOf, negatedFlagOf, OPTION_KEYS, optionEntry, type OptionKey } from '../config/options.ts';

const SCRIPTS: Readonly<Record<string, () => string>> = { bash, zsh, fish };

/**
 * The script for `shell`, else for the one that `login` (of $SHELL) names.
 * @throws MigratorError CONFIG_INVALID when it is none of the three.
 */
export function completionScript(shell: string | undefined, login: string | undefined): string {
  const name = shell ?? login?.split('/').at(-1) ?? '';
  const script = Object.hasOwn(SCRIPTS, name) ? SCRIPTS[name] : undefined;
  if (script) return script();
  throw new MigratorError('CONFIG_INVALID', `there is no completion for the shell ${shown(name)}`, {
    hint: `run: lockstep completion ${Object.keys(SCRIPTS).join('|')}`,
  });
}

interface Choice {
  readonly flag: string;
  readonly short: string | undefined;
  readonly about: string;
  /** Undefined for a boolean, empty where any text will do. */
  readonly values: readonly string[] | 'files' | undefined;
}

const FILE_VALUES = ['DIR', 'FILE', 'OLD_DIR'];

function choicesOf(command: CommandName): Choice[] {
  return OPTION_KEYS.filter((key) => belongsTo(key, command)).map((key) => {
    const { type, default: text, short, help } = optionEntry(key);
    const flag = type === 'boolean' && text === 'true' ? negatedFlagOf(key) : flagOf(key);
    return { flag, short, about: help.split(/[;:.] |\.$/, 1)[0] ?? '', values: valuesOf(key) };
  });
}

function valuesOf(key: OptionKey): Choice['values'] {
  const { type, choices, value = '' } = optionEntry(key);
  if (type === 'boolean') return undefined;
  return FILE_VALUES.includes(value) ? 'files' : (choices ?? []);
}

/** `"up --log-format") …;;` of each flag that takes a value: what stands there is one. */
function valueCases(give: (values: readonly string[] | 'files') => string): string {
  const cases = COMMAND_NAMES.flatMap((command) =>
    choicesOf(command).flatMap(({ flag, short, values }) => {
      if (values === undefined) return [];
      const patterns = [flag, ...(short === undefined ? [] : [`-${short}`])].map((name) => `"${command} ${name}"`);
      return [`    ${patterns.join('|')}) ${give(values)}; return ;;`];
    }),
  );
  return cases.join('\n');
}

function bash(): string {
  const flags = COMMAND_NAMES.map(
    (command) => `    ${command}) words="${[...choicesOf(command).map(({ flag }) => flag), '--help'].join(' ')}" ;;`,
  );
  return `# bash completion for lockstep
_lockstep() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${[...TOPICS, 'help', 'version'].join(' ')}" -- "$cur"))
    return
  fi
  case "\${COMP_WORDS[1]} \${COMP_WORDS[COMP_CWORD-1]}" in
${valueCases((values) => (values === 'files' ? 'COMPREPLY=($(compgen -f -- "$cur"))' : `COMPREPLY=($(compgen -W "${values.join(' ')}" -- "$cur"))`))}
  esac
  case "\${COMP_WORDS[1]}" in
${flags.join('\n')}
    help) words="${TOPICS.join(' ')}" ;;
    completion) words="${Object.keys(SCRIPTS).join(' ')}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o filenames -F _lockstep lockstep`;
}

function zsh(): string {
  const described = (name: string, about: string): string => quoted(`${name}:${about.replaceAll(':', '\\:')}`);
  const flags = COMMAND_NAMES.map(
    (command) =>
      `    ${command}) words_here=(${choicesOf(command)
        .map(({ flag, about }) => described(flag, about))
        .join(' ')}) ;;`,
  );
  return `#compdef lockstep
_lockstep() {
  local -a words_here
  if (( CURRENT == 2 )); then
    words_here=(${TOPICS.map((topic) => described(topic, COMMANDS[topic].summary)).join(' ')})
    _describe command words_here
    return
  fi
  case "$words[2] $words[CURRENT-1]" in
${valueCases((values) => (values === 'files' ? '_files' : `compadd -- ${values.join(' ')}`))}
  esac
  case $words[2] in
${flags.join('\n')}
    help) compadd -- ${TOPICS.join(' ')} ;;
    completion) compadd -- ${Object.keys(SCRIPTS).join(' ')} ;;
  esac
  _describe -o flag words_here
}
if [ "$funcstack[1]" = "_lockstep" ]; then _lockstep "$@"; else compdef _lockstep lockstep; fi`;
}

function fish(): string {
  const lines = COMMAND_NAMES.flatMap((command) =>
    choicesOf(command).map(({ flag, short, about, values }) => {
      const given = values === 'files' ? ' -r -F' : values === undefined ? '' : ` -x -a ${quoted(values.join(' '))}`;
      const letter = short === undefined ? '' : ` -s ${short}`;
      return `complete -c lockstep -n '__fish_seen_subcommand_from ${command}' -l ${flag.slice(2)}${letter}${given} -d ${quoted(about)}`;
    }),
  );
  return `# fish completion for lockstep
complete -c lockstep -f
${TOPICS.map((topic) => `complete -c lockstep -n __fish_use_subcommand -a ${topic} -d ${quoted(COMMANDS[topic].summary)}`).join('\n')}
complete -c lockstep -n '__fish_seen_subcommand_from completion' -a '${Object.keys(SCRIPTS).join(' ')}'
${lines.join('\n')}`;
}

/**
 * In single quotes, for zsh (a quote ends the text, is escaped, and begins it again) and for fish, which reads that
 * alike.
 */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
