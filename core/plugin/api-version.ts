import satisfies from 'semver/functions/satisfies.js'
import validRange from 'semver/ranges/valid.js'
import { SetupError } from '../errors.ts'
import type { AnyPlugin } from './plugin.ts'

/**
 * The version of what plugins are written against. A new major number breaks some, a new minor one brings more that
 * they may use.
 */
export const API_VERSION = '1.2.0'

/** @throws SetupError for a plugin that was written for another version, or does not say it rightly */
export function checkApi({ name, api }: AnyPlugin) {
  if (api === undefined) return
  if (typeof api !== 'string' || validRange(api) === null)
    throw new SetupError(`plugin ${name}: api is a range of versions such as "^1.0", not ${JSON.stringify(api)}`)
  if (!satisfies(API_VERSION, api))
    throw new SetupError(`plugin ${name} is written for plugin API ${api}; this server has ${API_VERSION}`)
}
