import type { ExecutionContext } from 'ava'
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { openPage } from '../browser.ts'

export const passwordOf = (name: string) => `${name}'s password`

/** Someone who uses the page. */
export class Person {
  readonly name: string
  readonly page: Page
  readonly context: BrowserContext

  constructor(name: string, page: Page) {
    this.name = name
    this.page = page
    this.context = page.context()
  }

  /** Opens the page in a browser profile of its own. */
  static async visit(
    t: ExecutionContext,
    browser: Browser,
    url: string,
    name: string,
    options: BrowserContextOptions = {},
  ): Promise<Person> {
    const context = await browser.newContext({ viewport: { width: 1100, height: 720 }, ...options })
    const person = new Person(name, await openPage(t, context, url))
    // What the policy of the page blocked, and requests to other origins.
    person.page.on('console', (message) => {
      if (/Content Security Policy|Trusted/i.test(message.text())) t.fail(message.text())
    })
    context.on('request', (request) => {
      const address = request.url().replace(/^blob:/, '')
      if (!address.startsWith('data:') && !address.startsWith(url)) t.fail(address)
    })
    return person
  }

  async register(nickname = '') {
    await this.page.getByRole('button', { name: 'Create an account' }).click()
    await this.page.getByLabel('User name').fill(this.name)
    await this.page.getByLabel('Display name').fill(nickname)
    await this.page.getByLabel('Password').fill(passwordOf(this.name))
    await this.page.getByRole('button', { name: 'Create account' }).click()
    await this.contacts.waitFor()
  }

  async logIn() {
    await this.page.getByLabel(/User name|用户名/).fill(this.name)
    await this.page.getByLabel(/Password|密码/).fill(passwordOf(this.name))
    await this.page.getByRole('button', { name: /^(Log in|登录)$/ }).click()
    await this.contacts.waitFor()
  }

  /** The same person in another tab. */
  in(page: Page): Person {
    return new Person(this.name, page)
  }

  /** The page loses the focus, as when the user turns to another window. */
  async blur() {
    await this.page.evaluate("document.hasFocus = () => false; dispatchEvent(new Event('blur'))")
  }

  /** The user turns to the page again. */
  async focus() {
    await this.page.evaluate("document.hasFocus = () => true; dispatchEvent(new Event('focus'))")
  }

  get contacts(): Locator {
    return this.page.getByRole('navigation', { name: /Contacts|联系人/ })
  }

  contact(name: string | RegExp): Locator {
    const line = this.page.locator('.line', { hasText: name })
    return this.contacts.locator('.contact').filter({ has: line })
  }

  /** Opens a conversation from the contact list. */
  async open(name: string) {
    await this.contact(name).click()
    await this.input.waitFor()
  }

  /** Opens a conversation with somebody who is no contact. */
  async openUser(name: string) {
    await this.page.evaluate((key) => {
      ;(globalThis as unknown as { location: { hash: string } }).location.hash = `/${encodeURIComponent(key)}`
    }, `@${name}`)
    await this.input.waitFor()
  }

  get input(): Locator {
    return this.page.getByRole('textbox', { name: /^(Message|消息内容)$/ })
  }

  async say(text: string) {
    await this.input.fill(text)
    await this.input.press('Enter')
  }

  /** Rows of messages that the server has stored. */
  messages(text?: string | RegExp): Locator {
    const rows = this.page.locator('.message')
    return text === undefined ? rows : rows.filter({ has: this.page.locator('.text', { hasText: text }) })
  }

  /** Waits for a message in the open conversation. */
  async sees(text: string | RegExp) {
    await this.messages(text).first().waitFor()
  }

  /** Texts of the messages shown, in order. */
  texts(): Promise<string[]> {
    return this.page.locator('.message .text').allTextContents()
  }

  /** Presses a button by its name. */
  async press(name: string | RegExp, within: Page | Locator = this.page) {
    await within.getByRole('button', { name, exact: typeof name === 'string' }).click()
  }

  get dialog(): Locator {
    return this.page.locator('dialog')
  }
}
