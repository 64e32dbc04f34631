import { existsSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { testWhere } from './endurance/rounds.ts'

const PATHS = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

const executablePath = PATHS.find((path) => path !== undefined && existsSync(path))

/**
 * `test` for tests in Chromium. Without one they are skipped with a notice, and fail if `CI` is set; `CHROMIUM` is the
 * path of another one.
 */
export const testInBrowser = testWhere(
  executablePath !== undefined,
  'Chromium is not installed (Debian: apt-get install chromium)',
)

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

/** Starts a headless Chromium, which ends with the test. Each `newContext` is a browser profile of its own. */
export async function launchBrowser(t: ExecutionContext): Promise<Browser> {
  if (executablePath === undefined) throw new Error('Chromium is not installed')
  const browser = await chromium.launch({ executablePath, args: ARGS })
  t.teardown(() => browser.close())
  return browser
}

/** Opens a page. An error that the page does not catch fails the test. */
export async function openPage(t: ExecutionContext, where: Browser | BrowserContext, url: string): Promise<Page> {
  const page = await where.newPage()
  page.on('pageerror', (error) => t.fail(`uncaught in the page: ${error.message}`))
  await page.goto(url)
  return page
}
