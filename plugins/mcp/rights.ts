import { NotAllowed } from './caller.ts'

/** A conversation: a user, or a group. */
export type Target = { readonly user: string } | { readonly group: string }

/** What an agent may do. Its model cannot change it. */
export interface Rights {
  readonly send: boolean
  readonly read: boolean
  /** Whom it may reach; undefined for everyone. */
  readonly names: ReadonlySet<string> | undefined
  mayReach(target: Target): boolean
}

const GROUP_MARK = '@'

/** Reads `bob` or `@ops`. */
export const parseTarget = (text: string): Target =>
  text.startsWith(GROUP_MARK) ? { group: text.slice(GROUP_MARK.length) } : { user: text.toLowerCase() }

export const nameOf = (target: Target): string => ('group' in target ? GROUP_MARK + target.group : target.user)

/** The rights of a list such as `bob,@ops`; of everything without one. */
export function rightsOf(names: readonly string[] | undefined, { readOnly }: { readonly readOnly: boolean }): Rights {
  const allowed = names && new Set(names.map((name) => nameOf(parseTarget(name))))
  const mayReach = (target: Target) => allowed?.has(nameOf(target)) ?? true
  return { send: !readOnly, read: true, names: allowed, mayReach }
}

/** The conversation of a name. @throws NotAllowed, the same whether or not it exists */
export function reach(rights: Rights, name: string): Target {
  const target = parseTarget(name)
  if (!rights.mayReach(target))
    throw new NotAllowed('not_allowed', `this agent may not reach "${name}"; \`directory\` lists whom it may`)
  return target
}
