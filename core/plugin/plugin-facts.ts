import type { LimitDefinition } from '../limits.ts'
import type { RuleFacts } from './before.ts'
import type { PluginRecord } from './plugin-record.ts'

/** Description of a running plugin, as `chatctl plugin list` and `info` show it. */
export interface PluginFacts {
  readonly name: string
  /** Version of the plugin, if it has one. */
  readonly version?: string
  /** The plugin API it was written for: a range of versions, or `any`. */
  readonly api: string
  readonly builtIn: boolean
  readonly state: 'ok' | 'degraded'
  /** The last failure of a degraded plugin. */
  readonly reason: string
  readonly needs: readonly string[]
  /** Message types that it brings, by name. */
  readonly messages: readonly string[]
  /** Names of its failures, besides the server's own. */
  readonly failures: readonly string[]
  /** Its own limits: the name in the config, and `value`, the default. */
  readonly limits: readonly LimitDefinition[]
  readonly handles: readonly string[]
  readonly before: readonly RuleFacts[]
  /** Names of the messages and events that it listens to. */
  readonly listens: readonly string[]
  /** Prefixes of the HTTP paths that it answers. */
  readonly routes: readonly string[]
  /** JSON schema of its options; absent where it takes none. */
  readonly options?: object
  readonly migrations: readonly string[]
  /** Milliseconds of each of its repeating timers. */
  readonly timers: readonly number[]
}

export async function factsOf(record: PluginRecord, builtIn: boolean): Promise<PluginFacts> {
  const { plugin, registered } = record
  const { name, version, api = 'any', needs = {}, messages = {}, failures = {}, limits = {}, migrations = {} } = plugin
  return {
    name,
    ...(version !== undefined && { version }),
    api,
    builtIn,
    ...record.state,
    needs: Object.values(needs).map((needed) => needed.name),
    messages: Object.values(messages).map((message) => message.name),
    failures: Object.values(failures).map((failure) => failure.name),
    limits: Object.values(limits),
    ...registered,
    ...(plugin.options !== undefined && { options: await schemaOf(plugin.options) }),
    migrations: Object.keys(migrations),
  }
}

/** JSON schema of the options; `{}`, which allows anything, for a schema that JSON Schema cannot express. */
async function schemaOf(options: NonNullable<PluginRecord['plugin']['options']>): Promise<object> {
  const { toJSONSchema } = await import('zod')
  try {
    return toJSONSchema(options, { io: 'input', unrepresentable: 'any' })
  } catch {
    // A schema of another library, or of another version of this one.
    return {}
  }
}
