/** How are an error and the holder of the lock written in every JSON document? */
import { publicWordsOf } from '../core/brief-error.ts';
import type { ErrorCode, MigratorError } from '../core/errors.ts';
import type { Version } from '../core/migration.ts';
import type { Holder } from '../core/runner.ts';

/** What failed, why, and what to do next. Rows (DETAIL, quoted values) and SQL are only in the log. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly summary: string;
  readonly next: string;
  readonly problems?: readonly string[];
  readonly version?: Version;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly sqlstate?: string;
  readonly message?: string;
  readonly serverHint?: string;
}

export interface HolderBody {
  readonly pid: number;
  readonly applicationName: string;
  readonly since?: string;
  readonly doing?: string;
}

export function errorBody(error: MigratorError): ErrorBody {
  const {
    code,
    next,
    details: { version, location, server, recorded },
  } = error;
  const { summary, problems, message, serverHint } = publicWordsOf(error);
  const sqlstate = server?.sqlstate ?? recorded?.sqlstate;
  return {
    code,
    summary,
    next,
    ...(problems && { problems }),
    ...(version !== undefined && { version }),
    ...(location && { file: location.file, line: location.line, column: location.column }),
    ...recorded?.at,
    ...(sqlstate !== undefined && { sqlstate }),
    ...(message !== undefined && { message }),
    ...(serverHint !== undefined && { serverHint }),
  };
}

export function holderBody({ pid, applicationName, since, doing }: Holder): HolderBody {
  return { pid, applicationName, ...(since && { since: since.toISOString() }), ...(doing !== undefined && { doing }) };
}
