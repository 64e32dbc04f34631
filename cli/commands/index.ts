import type { CommandModule } from 'yargs'

// biome-ignore lint/suspicious/noExplicitAny: commands of different arguments in one list
type AnyCommand = CommandModule<any, any>

/** In the order of `chatctl --help`. Each is loaded only when it is named: see program.ts. */
export const COMMANDS: Readonly<Record<string, () => Promise<AnyCommand>>> = {
  serve: async () => (await import('./serve.ts')).serve,
  register: async () => (await import('./register.ts')).register,
  login: async () => (await import('./login.ts')).login,
  logout: async () => (await import('./login.ts')).logout,
  whoami: async () => (await import('./login.ts')).whoami,
  context: async () => (await import('./context.ts')).context,
  send: async () => (await import('./send.ts')).send,
  scheduled: async () => (await import('./scheduled.ts')).scheduled,
  ask: async () => (await import('./ask.ts')).ask,
  expect: async () => (await import('./expect.ts')).expect,
  listen: async () => (await import('./listen.ts')).listen,
  inbox: async () => (await import('./inbox.ts')).inbox,
  history: async () => (await import('./inbox.ts')).history,
  contacts: async () => (await import('./contacts.ts')).contacts,
  edit: async () => (await import('./edit.ts')).edit,
  react: async () => (await import('./react.ts')).react,
  recall: async () => (await import('./recall.ts')).recall,
  friends: async () => (await import('./friends.ts')).friends,
  files: async () => (await import('./files.ts')).files,
  devices: async () => (await import('./devices.ts')).devices,
  hooks: async () => (await import('./hooks.ts')).hooks,
  tokens: async () => (await import('./tokens.ts')).tokens,
  profile: async () => (await import('./profile.ts')).profile,
  groups: async () => (await import('./groups.ts')).groups,
  bot: async () => (await import('./bot.ts')).bot,
  mcp: async () => (await import('./mcp.ts')).mcp,
  inject: async () => (await import('./inject.ts')).inject,
  protocol: async () => (await import('./protocol.ts')).protocol,
  plugin: async () => (await import('./plugin.ts')).plugin,
  status: async () => (await import('./status.ts')).status,
  cluster: async () => (await import('./cluster.ts')).cluster,
  top: async () => (await import('./top.ts')).top,
  tap: async () => (await import('./tap.ts')).tap,
  users: async () => (await import('./users.ts')).users,
  broadcast: async () => (await import('./broadcast.ts')).broadcast,
  db: async () => (await import('./db.ts')).db,
  config: async () => (await import('./config.ts')).config,
  doctor: async () => (await import('./doctor.ts')).doctor,
  bench: async () => (await import('./bench.ts')).bench,
  completion: async () => (await import('./completion.ts')).completion,
}

/** Other names of commands. */
export const ALIASES: Readonly<Record<string, string>> = { plugins: 'plugin' }

/** The name in COMMANDS of a word, if it names a command. */
export function commandOf(word: string): string | undefined {
  const name = ALIASES[word] ?? word
  return Object.hasOwn(COMMANDS, name) ? name : undefined
}
