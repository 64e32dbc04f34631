import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { tempFolder } from '../temp-folder.ts'

const DOCUMENT = fileURLToPath(new URL('../../../../docs/CLUSTER.md', import.meta.url))
const MAIN = fileURLToPath(new URL('../../../cli/main.js', import.meta.url))
const SECTION = /## Three nodes on one machine\n([\s\S]*?)\n## /
/** The ports of the document. */
const PORT = /\b(3307|[46]22[2-4]|730[1-3])\b/g

/** A process of the example. */
export interface Part {
  /** `nats-server`, `chatctl`, … */
  readonly program: string
  readonly command: string
  kill(signal: NodeJS.Signals): Promise<number | null>
  start(): Promise<void>
}

/** The example of docs/CLUSTER.md as processes, on free ports. They are killed when the test ends. */
export async function runExample(t: ExecutionContext, env: Readonly<Record<string, string>>) {
  const text = SECTION.exec(await readFile(DOCUMENT, 'utf8'))?.[1] ?? ''
  const ports = await freePorts(new Set(text.match(PORT)))
  const folder = await tempFolder(t)
  await mkdir(join(folder, 'bin'))
  await writeFile(join(folder, 'bin', 'chatctl'), `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`, {
    mode: 0o755,
  })
  const exports: string[] = []
  const run = (command: string) => {
    const options = {
      cwd: folder,
      // A database server deletes the temporary tables of others in its folder for them when it starts.
      env: {
        ...process.env,
        ...env,
        HOME: folder,
        TMPDIR: folder,
        PATH: `${folder}/bin:${process.env.PATH}:/usr/sbin`,
      },
    }
    return spawn('bash', ['-c', [...exports, command].join('\n')], { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  }
  const parts: Part[] = []
  for (const command of commandsOf(text)) {
    const own = asThisUser(command.replace(PORT, (port) => ports.get(port) ?? port))
    if (own.startsWith('export ')) exports.push(own)
    else if (own.endsWith(' &')) parts.push(await startPart(t, own.slice(0, -2), run))
    // An account is made by the test itself: the command asks for a password.
    else if (!own.startsWith('chatctl register')) await finished(run(own), own)
  }
  const addresses = parts
    .filter(({ program }) => program === 'chatctl')
    .map(({ command }) => `127.0.0.1:${/--port (\d+)/.exec(command)?.[1]}`)
  return { parts, addresses, run: (command: string) => finished(run(command), command) }
}

/** The commands in the blocks of the document, one a line. */
const commandsOf = (text: string): string[] =>
  [...text.matchAll(/```sh\n([\s\S]*?)```/g)]
    .flatMap(([, block = '']) => block.replaceAll('\\\n', ' ').split('\n'))
    .filter((line) => line !== '')

const asThisUser = (command: string) =>
  process.getuid?.() === 0 ? command.replace(/^(mariadbd|mariadb-install-db) --no-defaults/, '$& --user=root') : command

async function startPart(t: ExecutionContext, command: string, run: (command: string) => ChildProcess): Promise<Part> {
  const [program = ''] = command.split(' ')
  let child: ChildProcess
  const start = async () => {
    child = run(`exec ${command}`)
    child.stderr?.resume()
    // A node is ready when it has printed its address.
    if (program === 'chatctl') await once(child.stdout as NodeJS.ReadableStream, 'data')
    child.stdout?.resume()
  }
  const kill = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) {
      const exit = once(child, 'exit')
      child.kill(signal)
      await exit
    }
    return child.exitCode
  }
  await start()
  t.teardown(() => kill('SIGKILL'))
  return { program, command, kill, start }
}

async function finished(child: ChildProcess, command: string): Promise<string> {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk))
  await once(child, 'close')
  if (child.exitCode !== 0) throw new Error(`${command}: exit code ${child.exitCode}: ${output}`)
  return output
}

/** A free port for each, all different. */
async function freePorts(names: ReadonlySet<string>): Promise<Map<string, string>> {
  const ports = new Map<string, string>()
  const probes = []
  for (const name of names) {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    ports.set(name, String((probe.address() as { port: number }).port))
    probes.push(probe)
  }
  for (const probe of probes) {
    probe.close()
    await once(probe, 'close')
  }
  return ports
}
