import type { BrowserContext, Page } from 'playwright-core'

/** A conversation that was opened, milliseconds. */
export interface Opened {
  /** From the click to the paint of its messages. */
  readonly total: number
  /** The part of it after the page had its data. */
  readonly afterData: number
}

/** Notes when a page of history comes from the worker. */
const RECORDER = `
const { set } = Object.getOwnPropertyDescriptor(MessagePort.prototype, 'onmessage')
Object.defineProperty(MessagePort.prototype, 'onmessage', {
  set(handler) {
    set.call(this, (event) => {
      if (event.data.result?.messages !== undefined) globalThis.dataAt = performance.now()
      handler(event)
    })
  },
})`

export const recordHistory = (context: BrowserContext) => context.addInitScript(RECORDER)

/** Opens a conversation, and waits for the frame that shows its last message. */
export const openChat = (page: Page, user: string, lastId: number) =>
  page.evaluate(`new Promise((resolve) => {
    const start = performance.now()
    const isShown = () => document.querySelector('.message[data-id="${lastId}"]') !== null
    const look = () => {
      if (!isShown()) return requestAnimationFrame(look)
      // A task after the frame: the messages are on the screen.
      setTimeout(() => {
        const end = performance.now()
        resolve({ total: end - start, afterData: end - dataAt })
      })
    }
    location.hash = '/' + encodeURIComponent('@${user}')
    requestAnimationFrame(look)
  })`) as Promise<Opened>

/** Loads older messages until the list is as long as it gets. */
export const scrollBack = (page: Page, pages: number) =>
  page.evaluate(`(async () => {
    const list = document.querySelector('.messages')
    const first = () => Number(list.querySelector('.message').dataset.id)
    for (let page = 0; page < ${pages}; page++) {
      const before = first()
      list.scrollTop = 0
      await new Promise((resolve) => {
        const look = () => (first() < before ? resolve() : requestAnimationFrame(look))
        look()
      })
    }
    return list.querySelectorAll('.message').length
  })()`) as Promise<number>

/** Memory of the page's objects after a collection, bytes. The shared worker's is not in it. */
export async function heapOf(page: Page): Promise<number> {
  const devTools = await page.context().newCDPSession(page)
  await devTools.send('Performance.enable')
  await devTools.send('HeapProfiler.collectGarbage')
  const { metrics } = await devTools.send('Performance.getMetrics')
  await devTools.detach()
  return metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? Number.NaN
}

export async function logIn(page: Page, { user, password }: { user: string; password: string }) {
  await page.getByLabel('User name').fill(user)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Log in' }).click()
  await isIn(page)
}

/** Waits for the contact list. */
export const isIn = (page: Page) => page.getByRole('navigation', { name: 'Contacts' }).waitFor()

/** Waits until the page has lost its connection, or has it again. */
export const isOffline = (page: Page, isIt: boolean) =>
  page.getByText('No connection').waitFor({ state: isIt ? 'visible' : 'detached' })

export const isOut = (page: Page) => page.getByRole('button', { name: 'Log in' }).waitFor()
