import { type AnyPlugin, FIRST_FOREIGN_TYPE, SetupError } from '../core/index.ts'
import type { Migrations } from '../db/index.ts'
import { BUILT_IN } from './built-in.ts'

export interface Assembly {
  /** Besides the built-in ones. */
  readonly plugins?: readonly AnyPlugin[]
  /** Names of built-in plugins to leave out. */
  readonly without?: readonly string[]
}

/**
 * The plugins of a server: the built-in ones, then those of others.
 * @throws SetupError for an unknown name, and for a message number, failure or limit of another plugin that is not its own
 */
export function assemble({ plugins = [], without = [] }: Assembly, builtIn = BUILT_IN): AnyPlugin[] {
  for (const plugin of plugins) checkNames(plugin)
  const unknown = without.find((name) => !builtIn.some((plugin) => plugin.name === name))
  if (unknown !== undefined)
    throw new SetupError(
      `no built-in plugin is named "${unknown}" (there are ${builtIn.map(({ name }) => name).join(', ')})`,
      { isSetting: true },
    )
  return [...builtIn.filter(({ name }) => !without.includes(name)), ...plugins]
}

/** Migrations of plugins, under names that begin with the plugin's. */
export function pluginMigrations(plugins: readonly AnyPlugin[]): Migrations {
  return Object.fromEntries(
    plugins.flatMap(({ name, migrations = {} }) =>
      Object.entries(migrations).map(([migration, change]) => [`${name}/${migration}`, change]),
    ),
  )
}

/** Numbers and names that a later version of the server could take are not for plugins by others. */
function checkNames({ name, messages = {}, failures = {}, limits = {} }: AnyPlugin) {
  const low = Object.values(messages).find(({ type }) => type < FIRST_FOREIGN_TYPE)
  if (low !== undefined)
    throw new SetupError(
      `plugin ${name}: message ${low.name} has type ${low.type}; yours begin at ${FIRST_FOREIGN_TYPE}`,
    )
  const isOwn = (own: { readonly name: string }) => own.name.startsWith(`${name}.`)
  const failure = Object.values(failures).find((own) => !isOwn(own) || own.code !== 0)
  if (failure !== undefined)
    throw new SetupError(
      `plugin ${name}: failure ${failure.name} with code ${failure.code}; yours are made by pluginFailures('${name}', …)`,
    )
  const limit = Object.values(limits).find((own) => !isOwn(own))
  if (limit !== undefined)
    throw new SetupError(`plugin ${name}: limit ${limit.name}; yours are made by pluginLimits('${name}', …)`)
}
