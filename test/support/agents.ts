import { ClientCaller } from '../../cli/client/mcp-caller.ts'
import { Agent } from '../../plugins/mcp/agent.ts'
import { failureOf } from '../../plugins/mcp/caller.ts'
import { POLL_MS } from '../../plugins/mcp/looking.ts'
import { rightsOf } from '../../plugins/mcp/rights.ts'
import { TOOLS } from '../../plugins/mcp/tools.ts'
import type { TestServer, TestUser } from '../../testing/index.ts'

// biome-ignore lint/suspicious/noExplicitAny: results of tools are JSON
type Result = any

export interface AgentOptions {
  readonly name?: string
  readonly to?: readonly string[]
  readonly readOnly?: boolean
}

/** An agent of a user, on the clock of the test. `call` is the call of a tool; a refusal is its result. */
export function agentOf(
  server: TestServer,
  { name: user, client }: TestUser,
  { name = 'agent', to, readOnly = false }: AgentOptions = {},
) {
  const agent = new Agent(name, new ClientCaller(client, user, server.clock), rightsOf(to, { readOnly }))
  const progress: number[] = []
  return {
    progress,
    /** Resolves when a call waits for news. */
    async waits() {
      while (server.clock.timers(POLL_MS).pending === 0) await server.settled()
    },
    /** Calls a tool. */
    async call(tool: string, args: object = {}, signal: AbortSignal = new AbortController().signal): Promise<Result> {
      const found = TOOLS.find(({ name, isAllowed }) => name === tool && isAllowed(agent.rights))
      if (found === undefined) return { error: 'unknown_tool' }
      try {
        const call = { signal, progress: (seconds: number) => progress.push(seconds) }
        return await found.run(agent, found.input.parse(args) as never, call)
      } catch (error) {
        const failure = failureOf(error)
        if (failure === undefined) throw error
        return { error: failure }
      }
    },
  }
}
