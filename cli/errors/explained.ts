import { CliError } from './exit.ts'
import { meaningOf } from './system-error.ts'

/**
 * An error of the system as a sentence that names the path and what to do; any other error as it is.
 * @param doing what failed, with the path: `cannot open /var/lib/chatctl/lock`
 */
export function systemError(error: unknown, doing: string): unknown {
  const [meaning, hint] = meaningOf(error) ?? []
  if (meaning === undefined) return error
  return Object.assign(new CliError('failed', `${doing}: ${meaning}`, hint), { cause: error })
}

/** Runs `act`; throws its errors as `systemError` describes them. */
export async function explained<T>(doing: string, act: () => T | Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw systemError(error, doing)
  }
}
