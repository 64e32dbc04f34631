import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { type Browser, type BrowserContext, chromium } from 'playwright-core'

const PATHS = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

const executablePath = PATHS.find((path) => path !== undefined && existsSync(path))

export const isChromiumInstalled = executablePath !== undefined

/** A host name for the test's servers that is no secure context, in contrast to 127.0.0.1: `crypto.subtle` is missing. */
export const INSECURE_HOST = 'chat.test'

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Nothing but loopback is reachable.
  `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost`,
]

/** Starts a headless Chromium. Each `newContext` is a browser profile of its own. @throws Error if there is none */
export async function startChromium(): Promise<Browser> {
  if (executablePath === undefined) throw new Error('Chromium is not installed (Debian: apt-get install chromium)')
  return chromium.launch({ executablePath, args: ARGS })
}

/** A browser whose process can be killed. */
export interface MortalBrowser {
  readonly context: BrowserContext
  /** Ends it as a crash does. */
  kill(): Promise<void>
}

/** Starts a Chromium with its profile in a folder, where a later one finds it. */
export async function startMortalChromium(profile: string): Promise<MortalBrowser> {
  const args = [...ARGS, '--headless', '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank']
  const child = spawn(executablePath ?? '', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let address: string | undefined
  for await (const line of createInterface({ input: child.stderr })) {
    address = /^DevTools listening on (\S+)$/.exec(line)?.[1]
    if (address !== undefined) break
  }
  if (address === undefined) throw new Error('Chromium ended before it was ready')
  child.stderr.resume()
  const [context] = (await chromium.connectOverCDP(address)).contexts()
  if (context === undefined) throw new Error('Chromium has no profile')
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  return { context, kill }
}
