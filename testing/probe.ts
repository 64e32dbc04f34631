import { type AnyPlugin, type App, definePlugin, type Role } from '../core/index.ts'
import { accounts } from '../plugins/index.ts'
import { secret } from './once-a-process.ts'

/** What a test gets from within the server. */
export interface Inside {
  readonly app: App
  createAccount(name: string, role: Role): Promise<unknown>
}

/** The plugin through which a test gets into the server. */
export class Probe {
  readonly plugin: AnyPlugin
  #inside: Inside | undefined

  /** @param hasAccounts whether the server has the plugin of that name */
  constructor(hasAccounts: boolean) {
    this.plugin = hasAccounts
      ? definePlugin({
          name: 'testing',
          needs: { accounts },
          setup: (app, { needs }) => {
            const createAccount = async (name: string, role: Role) =>
              needs.accounts.create({ name, nickname: '', role, verifier: (await secret()).verifier })
            this.#inside = { app, createAccount }
          },
        })
      : definePlugin({
          name: 'testing',
          setup: (app) => {
            const createAccount = () => Promise.reject(new Error('a server without accounts has no users'))
            this.#inside = { app, createAccount }
          },
        })
  }

  /** Once the server has started. */
  get inside(): Inside {
    if (this.#inside === undefined) throw new Error('the server has not started')
    return this.#inside
  }
}
