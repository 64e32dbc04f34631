import { SetupError } from '../errors.ts'
import { LIMITS, type LimitDefinition, type LimitDefinitions, type LimitSettings, type Limits } from '../limits.ts'
import { FAILURES, type FailureDefinition } from '../wire/index.ts'
import type { AnyPlugin } from './plugin.ts'

/** Definitions by their names, each with its owner, for the error when two clash. */
class Merged<D extends { readonly name: string }> {
  readonly #byName = new Map<string, readonly [definition: D, owner: string]>()

  /** The same definition may be added again. @throws SetupError for a name that is taken */
  add(what: string, definition: D, owner: string) {
    const [known, knownOwner] = this.#byName.get(definition.name) ?? []
    if (known !== undefined && known !== definition)
      throw new SetupError(`${owner} defines ${what} ${definition.name}, and so does ${knownOwner}`)
    this.#byName.set(definition.name, [definition, owner])
  }

  get(name: string): D | undefined {
    return this.#byName.get(name)?.[0]
  }

  *[Symbol.iterator](): Generator<readonly [definition: D, owner: string]> {
    yield* this.#byName.values()
  }
}

const OWN = 'the server'
const ownerOf = ({ name }: AnyPlugin) => `plugin ${name}`

/** @throws SetupError for two failures of one name or one code, naming both owners */
export function checkFailures(plugins: readonly AnyPlugin[]) {
  const merged = new Merged<FailureDefinition>()
  for (const failure of Object.values(FAILURES)) merged.add('the failure', failure, OWN)
  for (const plugin of plugins)
    for (const failure of Object.values(plugin.failures ?? {})) merged.add('the failure', failure, ownerOf(plugin))
  const byCode = new Map<number, readonly [FailureDefinition, string]>()
  for (const [failure, owner] of merged) {
    const { name, code } = failure
    const [other, otherOwner] = byCode.get(code) ?? []
    if (other !== undefined)
      throw new SetupError(
        `${owner} defines the failure ${name} with code ${code}, which is ${other.name} of ${otherOwner}`,
      )
    // A failure that a plugin named itself has no code.
    if (code !== 0) byCode.set(code, [failure, owner])
  }
}

/**
 * The limits in force, by their names in the config: as set, otherwise by default.
 * @param known plugins whose limits may be set although they are not loaded
 * @throws SetupError for two limits of one name, and for a setting that is no limit
 */
export function limitsInForce(
  plugins: readonly AnyPlugin[],
  settings: LimitSettings = {},
  known: readonly AnyPlugin[] = [],
): Limits {
  const merged = new Merged<LimitDefinition>()
  const add = (limits: LimitDefinitions, owner: string) => {
    for (const limit of Object.values(limits)) merged.add('the limit', limit, owner)
  }
  add(LIMITS, OWN)
  for (const plugin of plugins) add(plugin.limits ?? {}, ownerOf(plugin))
  const inForce = [...merged].map(([{ name, value }]) => [name, settings[name] ?? value])
  for (const plugin of known) add(plugin.limits ?? {}, ownerOf(plugin))
  const tooHigh = Object.entries(settings).flatMap(([name, setting]) => {
    const { max = Number.MAX_SAFE_INTEGER } = merged.get(name) ?? {}
    return setting !== undefined && setting > max ? [`limits.${name} is ${setting}, at most ${max} is possible`] : []
  })
  if (tooHigh.length > 0) throw new SetupError(tooHigh.join('; '), { isSetting: true })
  const unknown = Object.keys(settings).filter((name) => merged.get(name) === undefined)
  if (unknown.length > 0)
    throw new SetupError(unknown.map((name) => `limits.${name}: no loaded plugin has that limit`).join('; '), {
      isSetting: true,
    })
  return Object.fromEntries(inForce) as Limits
}

/** A plugin's own limits, by the keys of its definitions. */
export const ownLimits = ({ limits = {} }: AnyPlugin, inForce: Limits): { readonly [key: string]: number } =>
  Object.fromEntries(
    Object.entries(limits).map(([key, { name }]) => [
      key,
      (inForce as Readonly<Record<string, number>>)[name] as number,
    ]),
  )
