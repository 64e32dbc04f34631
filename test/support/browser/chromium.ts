import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

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
