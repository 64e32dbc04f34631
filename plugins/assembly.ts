import { type AnyPlugin, SetupError } from '../core/index.ts'
import type { Migrations } from '../db/index.ts'
import { BUILT_IN } from './index.ts'

export interface Assembly {
  /** Besides the built-in ones. */
  readonly plugins?: readonly AnyPlugin[]
  /** Names of built-in plugins to leave out. */
  readonly without?: readonly string[]
}

/** First number of other people's message types: below, a later built-in one could clash. */
const FIRST_FOREIGN_TYPE = 1000

/**
 * The plugins of a server: the built-in ones, then those of others.
 * @throws SetupError for an unknown name, or a message number that is the server's own
 */
export function assemble({ plugins = [], without = [] }: Assembly, builtIn = BUILT_IN): AnyPlugin[] {
  for (const plugin of plugins) checkTypes(plugin)
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

function checkTypes({ name, messages = {} }: AnyPlugin) {
  const low = Object.values(messages).find(({ type }) => type < FIRST_FOREIGN_TYPE)
  if (low !== undefined)
    throw new SetupError(
      `plugin ${name}: message ${low.name} has type ${low.type}; yours begin at ${FIRST_FOREIGN_TYPE}`,
    )
}
