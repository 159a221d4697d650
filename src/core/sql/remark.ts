/** A remark about a position in a script. */
import type { ScriptRemark } from './script-plan.ts';
import { placeOf } from '../text/source-location.ts';

/** `offset` in UTF-16 code units of `text`. */
export function remarkAt(text: string, offset: number, message: string): ScriptRemark {
  return { ...placeOf(text, offset), message };
}
