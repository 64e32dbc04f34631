import { setImmediate } from 'node:timers/promises'
import { clientMessage, definePlugin } from '../../../core/index.ts'

export const Loop = clientMessage({ type: 1900, name: 'loop', about: '', allow: 'user', fields: {} })
export const Leak = clientMessage({ type: 1901, name: 'leak', about: '', allow: 'user', fields: {} })
export const Throw = clientMessage({ type: 1902, name: 'throw', about: '', allow: 'user', fields: {} })

/** The worst accidents of a plugin: an endless loop, a leak, an unhandled rejection. */
export default definePlugin({
  name: 'bad',
  messages: { Loop, Leak, Throw },
  setup(app) {
    app.handle(Loop, () => {
      for (;;);
    })
    app.handle(Leak, async () => {
      const kept: string[][] = []
      for (;;) {
        kept.push(Array.from({ length: 10_000 }, (_, n) => `${n} of ${kept.length}`))
        await setImmediate()
      }
    })
    // Outside every promise that the host awaits.
    app.handle(Throw, () => void Promise.reject(new Error('nobody awaits this')))
  },
})
