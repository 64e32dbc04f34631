import { type AnyPlugin, type App, definePlugin, type Role } from '../core/index.ts'
import { accounts } from '../plugins/index.ts'
import { testSecret } from './fixtures.ts'

/** Parts of a running server that a test works with. */
export interface Internals {
  readonly app: App
  createAccount(name: string, role: Role): Promise<unknown>
}

/** A plugin that gives a test access to the server's internals. */
export class InternalAccess {
  readonly plugin: AnyPlugin
  #internals: Internals | undefined

  /** @param hasAccounts whether the server has the plugin `accounts` */
  constructor(hasAccounts: boolean) {
    this.plugin = hasAccounts
      ? definePlugin({
          name: 'testing',
          needs: { accounts },
          setup: (app, { needs }) => {
            const createAccount = async (name: string, role: Role) =>
              needs.accounts.create({ name, nickname: '', role, verifier: (await testSecret()).verifier })
            this.#internals = { app, createAccount }
          },
        })
      : definePlugin({
          name: 'testing',
          setup: (app) => {
            const createAccount = () => Promise.reject(new Error('a server without accounts has no users'))
            this.#internals = { app, createAccount }
          },
        })
  }

  /** Available once the server has started. */
  get internals(): Internals {
    if (this.#internals === undefined) throw new Error('the server has not started')
    return this.#internals
  }
}
