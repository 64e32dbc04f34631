import type { App } from '../../core/index.ts'
import { passHook } from '../../db/index.ts'
import type { Hooks } from './hooks.ts'
import type { Parts } from './parts.ts'

/** Interval at which a node looks for hooks of nodes that have ended. */
const LOOK_MS = 5000
/** Asks the node that delivers for a hook to give it to the node that asks. */
const GIVE = 'hooks.give'

/** Asks the other nodes for a hook; resolves when the one that had it has ended its attempts. */
export const askFor = (app: App) => async (hook: number) => {
  await app.cluster.ask(GIVE, { hook })
}

/** Gives hooks to other nodes, and takes those of nodes that have ended. */
export function shareHooks({ app, db, log }: Parts, hooks: Hooks) {
  const { cluster } = app
  if (cluster.node === 0) return
  cluster.answer(GIVE, async (asked, from) => {
    const { hook: id } = asked as { hook: number }
    const hook = hooks.find(id)
    if (hook === undefined) return false
    hooks.drop(hook)
    await hook.stop()
    await passHook(db, id, cluster.node, from)
    return true
  })
  app.every(LOOK_MS, async () => {
    try {
      for (const hook of await hooks.load()) hook.wake()
    } catch (error) {
      log.warn({ err: error }, 'cannot look for hooks of other nodes; trying again')
    }
  })
}
