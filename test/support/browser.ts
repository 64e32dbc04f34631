import type { ExecutionContext } from 'ava'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { isChromiumInstalled, startChromium } from './browser/chromium.ts'
import { MINUTES, testWhere } from './endurance/rounds.ts'

export { INSECURE_HOST } from './browser/chromium.ts'

/**
 * `test` for tests in Chromium. Without one they are skipped with a notice, and fail if `CI` is set; `CHROMIUM` is the
 * path of another one.
 */
export function testInBrowser(title: string, play: (t: ExecutionContext) => Promise<void>) {
  inBrowser(title, async (t) => {
    // What is awaited inside the page has no time limit of its own.
    t.timeout(5 * MINUTES)
    await play(t)
  })
}

const inBrowser = testWhere(isChromiumInstalled, 'Chromium is not installed (Debian: apt-get install chromium)')

/** Starts a headless Chromium, which ends with the test. Each `newContext` is a browser profile of its own. */
export async function launchBrowser(t: ExecutionContext): Promise<Browser> {
  const browser = await startChromium()
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
