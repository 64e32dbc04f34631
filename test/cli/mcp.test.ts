import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Client as Client2 } from '@modelcontextprotocol/client'
import { StdioClientTransport as Transport2 } from '@modelcontextprotocol/client/stdio'
import test, { type ExecutionContext } from 'ava'
import { Client as Client1 } from 'mcp-sdk-1/client/index.js'
import { StdioClientTransport as Transport1 } from 'mcp-sdk-1/client/stdio.js'
import { dialOriginalClient } from '../support/original-client/original-client.ts'
import type { Shell } from '../support/processes/shell.ts'
import { aliceAndBob, json, works } from './alice-and-bob.ts'

/** `chatctl mcp`, driven by the client libraries of both generations of the protocol. */

// biome-ignore lint/suspicious/noExplicitAny: results of tools are JSON
type Result = any

interface Driven {
  listTools(): Promise<{ tools: { name: string }[] }>
  callTool(request: { name: string; arguments: object }, ...more: never[]): Promise<Result>
  close(): Promise<void>
}

/** Starts `chatctl mcp` as an agent program does. */
async function drive(t: ExecutionContext, shell: Shell, args: readonly string[] = [], generation: 1 | 2 = 2) {
  const { command, args: words, env } = shell.commandLine(['mcp', '--context', 'alice', ...args])
  const options = { command, args: words, env, cwd: shell.folder, stderr: 'pipe' as const }
  const info = { name: 'test', version: '1' }
  const transport = generation === 1 ? new Transport1(options) : new Transport2(options)
  const client = generation === 1 ? new Client1(info) : new Client2(info)
  let log = ''
  transport.stderr?.on('data', (chunk) => {
    log += chunk
  })
  await (client as Client2).connect(transport as Transport2)
  t.teardown(() => client.close())
  const driven = client as Driven
  return {
    client: driven,
    pid: transport.pid as number,
    log: () => log,
    async call(name: string, values: object = {}, ...more: never[]): Promise<Result> {
      const { content, isError } = await driven.callTool({ name, arguments: values }, ...more)
      return { ...JSON.parse(content[0].text), ...(isError && { isError }) }
    },
  }
}

const TOOLS = ['send', 'ask', 'ask_result', 'wait', 'inbox', 'history', 'search', 'directory']

for (const generation of [1, 2] as const)
  test.serial(`client library ${generation} finds the tools, sends, and is refused`, async (t) => {
    const { shell } = await aliceAndBob(t)
    const agent = await drive(t, shell, ['--to', 'bob', '--agent', 'builder'], generation)
    const { tools } = await agent.client.listTools()
    t.deepEqual(
      tools.map(({ name }) => name),
      TOOLS,
    )
    const { id } = await agent.call('send', { to: 'bob', text: 'hi' })
    t.like(json(await works(t, shell, ['inbox', '--context', 'bob', '-o', 'json'])), [{ id, text: 'hi', bot: true }])
    t.like(await agent.call('send', { to: 'carol', text: 'hi' }), { isError: true, error: 'not_allowed' })
    await agent.client.close()
    const calls = agent
      .log()
      .split('\n')
      .filter((line) => line.includes('"tool call"'))
    t.deepEqual(
      calls.map((line) => JSON.parse(line)).map(({ agent, tool, to, outcome }) => ({ agent, tool, to, outcome })),
      [
        { agent: 'builder', tool: 'send', to: 'bob', outcome: 'ok' },
        { agent: 'builder', tool: 'send', to: 'carol', outcome: 'not_allowed' },
      ],
    )
    t.false(agent.log().includes('"hi"'), 'texts are not logged')
    const audit = (await readFile(join(shell.folder, 'room', 'audit.log'), 'utf8')).trim().split('\n')
    t.deepEqual(
      audit
        .map((line) => JSON.parse(line))
        .filter(({ event }) => event === 'agent_call')
        .map(({ user, agent, tool, to, outcome, reported }) => ({ user, agent, tool, to, outcome, reported })),
      [
        { user: 'alice', agent: 'builder', tool: 'send', to: 'bob', outcome: 'ok', reported: true },
        { user: 'alice', agent: 'builder', tool: 'send', to: 'carol', outcome: 'not_allowed', reported: true },
      ],
    )
  })

test.serial('progress keeps a call alive beyond the limit of its client', async (t) => {
  const { shell } = await aliceAndBob(t)
  const agent = await drive(t, shell, [], 1)
  const notes: number[] = []
  const options = {
    timeout: 2500,
    resetTimeoutOnProgress: true,
    onprogress: ({ progress }: { progress: number }) => notes.push(progress),
  }
  t.like(await agent.call('ask', { to: 'bob', question: '?', seconds: 4 }, undefined as never, options as never), {
    state: 'pending',
  })
  t.true(notes.length >= 3)
})

test.serial(
  'a person answers from the command line, after a restart of everything; the same key asks once',
  async (t) => {
    const { shell, room } = await aliceAndBob(t)
    const question = { to: 'bob', question: 'Deploy?', options: ['yes', 'no'], key: 'deploy 17', seconds: 0 }
    const first = await drive(t, shell)
    const { state, ask } = await first.call('ask', question)
    t.is(state, 'pending')
    process.kill(first.pid, 'SIGKILL')
    await room.stop('SIGKILL')
    await shell.serve(['--port', room.server.split(':')[1] ?? ''])
    const agent = await drive(t, shell)
    const waiting = agent.call('ask_result', { ask, seconds: 30 })
    await works(t, shell, ['send', '--context', 'bob', 'alice', 'yes'])
    const answered = await waiting
    t.like(answered, { state: 'answered', answer: 'yes', by: 'bob' })
    t.deepEqual(await agent.call('ask', question), answered)
    const { length } = json(await works(t, shell, ['inbox', '--context', 'bob', '-o', 'json']))
    t.is(length, 1)
  },
)

test.serial('an ask after a restart of the server is answered from the original client', async (t) => {
  const { shell, room } = await aliceAndBob(t)
  const agent = await drive(t, shell)
  t.like(await agent.call('ask', { to: 'carol', question: 'Deploy?' }), { error: 'user_not_exist' })
  await room.stop('SIGKILL')
  const again = await shell.serve(['--port', room.server.split(':')[1] ?? '', '--legacy', '0'])
  const first = await dialOriginalClient(t, again.listening.legacy)
  t.is(await first.register('carol', 'secret', 'carol'), 101)
  const carol = await dialOriginalClient(t, again.listening.legacy)
  t.truthy(await carol.login('carol', 'secret'))
  await carol.lists()
  const waiting = agent.call('ask', { to: 'carol', question: 'Deploy?', seconds: 40, options: ['yes', 'no'] })
  // Alice appears in the list first.
  await carol.hears(105)
  t.regex((await carol.hears(121))[2] ?? '', /Deploy/)
  carol.say('alice', 'yes')
  t.like(await waiting, { state: 'answered', answer: 'yes', by: 'carol' })
})

test.serial('a wait and an ask go on while the server is killed and started again', async (t) => {
  const { shell, room } = await aliceAndBob(t)
  const agent = await drive(t, shell)
  t.is((await agent.call('wait', { seconds: 0 })).message, null)
  const waiting = agent.call('wait', { seconds: 45 })
  const asking = agent.call('ask', { to: 'bob', question: 'Deploy?', seconds: 45 })
  await works(t, shell, ['listen', '--context', 'bob', '--count', '1', '--for', '20s'])
  await room.stop('SIGKILL')
  await shell.serve(['--port', room.server.split(':')[1] ?? ''])
  await works(t, shell, ['send', '--context', 'bob', 'alice', 'go on'])
  t.is((await waiting).message.text, 'go on')
  t.like(await asking, { state: 'answered', answer: 'go on' })
})

test.serial('two agents wait at once, each gets every message, also after it was killed', async (t) => {
  const { shell } = await aliceAndBob(t)
  const [one, two] = [await drive(t, shell, ['--agent', 'one']), await drive(t, shell, ['--agent', 'two'])]
  for (const agent of [one, two]) t.is((await agent.call('wait', { seconds: 0 })).message, null)
  const both = [one, two].map((agent) => agent.call('wait', { seconds: 30 }))
  await works(t, shell, ['send', '--context', 'bob', 'alice', 'to both'])
  for (const { message } of await Promise.all(both)) t.is(message.text, 'to both')
  process.kill(one.pid, 'SIGKILL')
  const again = await drive(t, shell, ['--agent', 'one'])
  t.is((await again.call('wait', { seconds: 0 })).message.text, 'to both', 'it may not have read it')
  t.is((await two.call('wait', { seconds: 0 })).message, null)
})

test.serial('stdout carries nothing but JSON-RPC, whatever is sent', async (t) => {
  const { shell } = await aliceAndBob(t)
  const { child, done } = shell.start(['mcp', '--context', 'alice'])
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
  const send = (message: object | string) =>
    child.stdin?.write(`${typeof message === 'string' ? message : JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  const answer = async () => {
    const { value } = await lines.next()
    const parsed = JSON.parse(value as string)
    t.is(parsed.jsonrpc, '2.0')
    return parsed
  }
  const initialize = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'raw', version: '1' } }
  send({ id: 1, method: 'initialize', params: initialize })
  t.is((await answer()).id, 1)
  send({ method: 'notifications/initialized' })
  send('this is no JSON')
  send({ id: 2, method: 'no/such' })
  t.truthy((await answer()).error)
  send({
    id: 3,
    method: 'tools/call',
    params: { name: 'wait', arguments: { seconds: 1 }, _meta: { progressToken: 7 } },
  })
  let last = await answer()
  for (; last.id !== 3; last = await answer()) t.is(last.method, 'notifications/progress')
  t.truthy(last.result)
  child.stdin?.end()
  const { code, stderr } = await done
  t.is(code, 0)
  t.regex(stderr, /serving tools on stdio/)
})

test.serial('without the optional library, and with wrong words, the command says what to do', async (t) => {
  const { shell } = await aliceAndBob(t)
  const hide = `import { register } from 'node:module'
    register('data:text/javascript,' + encodeURIComponent(\`export async function resolve(name, context, next) {
      if (name.startsWith('@modelcontextprotocol/')) throw Object.assign(new Error(name), { code: 'ERR_MODULE_NOT_FOUND' })
      return next(name, context)
    }\`))`
  const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(hide)}` }
  const { code, stderr } = await shell.run(['mcp', '--context', 'alice'], { env })
  t.is(code, 1)
  t.regex(stderr, /npm install @modelcontextprotocol\/server/)
  t.is((await shell.run(['mcp', '--context', 'alice', '--to', 'bob,,'])).code, 2)
  t.is((await shell.run(['mcp', '--context', 'alice', '--agent', 'x'.repeat(49)])).code, 2)
})
