import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { complete } from '../../cli/parser/completion.ts'
import { openShell, type Shell } from '../support/processes/shell.ts'

/** Command line parsing: usage errors, help, completion, and the modules a command loads. */

async function refused(t: ExecutionContext, shell: Shell, args: readonly string[], says: RegExp) {
  const { code, stdout, stderr } = await shell.run(args)
  t.is(code, 2, `${args.join(' ')}: ${stderr}`)
  t.is(stdout, '')
  t.regex(stderr, says, args.join(' '))
}

test('usage errors name the wrong word and suggest a right one', async (t) => {
  const shell = await openShell(t)
  for (const [words, says] of [
    ['users delete x --data room', /^error: unknown command "users delete"\nhint: commands: list, create, /],
    ['friends foo', /^error: unknown command "friends foo"\nhint: commands: list, requests/],
    ['halt --data room', /^error: unknown command "halt"\nhint: commands: serve, register/],
    ['restore', /^error: unknown command "restore"\nhint: commands: serve/],
    ['statsu', /^error: unknown command "statsu"\nhint: did you mean status\? commands: /],
    ['users', /^error: say which command of users\nhint: commands: list/],
    ['', /^error: say what to do\nhint: commands: /],
    ['serve --prot 1', /^error: unknown option --prot, did you mean --port\?/],
    ['login ci --password secret', /^error: unknown option --password, did you mean --password-file\?/],
    ['users list --dta x', /^error: unknown option --dta, did you mean --data\?/],
    ['send --to alice hi', /^error: --to is no option\nhint: it is a word of its own/],
    ['context show a b', /^error: too many words: "b"/],
    ['help nope', /^error: unknown command "nope"/],
    ['bench --speed 3', /^error: unknown option --speed\nhint: options: --workload/],
    ['register', /^error: words are missing\nhint: `chatctl register --help` shows what goes there: <name>$/m],
    ['inbox -o csv', /^error: --output: "csv" is none of table, json, ndjson, plain$/m],
    ['users create x --role king', /^error: --role: "king" is none of user, bot, admin$/m],
    ['groups role ops bob king', /^error: <role>: "king" is none of owner, admin, member$/m],
    ['completion tcsh', /^error: "tcsh" is none of bash, zsh, fish$/m],
  ] as const)
    await refused(
      t,
      shell,
      words.split(' ').filter((word) => word !== ''),
      says,
    )
  const { code, stderr } = await shell.run(['inbox'], { env: { CHATCTL_OUTPUT: 'csv' } })
  t.deepEqual([code, stderr], [2, 'error: CHATCTL_OUTPUT: "csv" is none of table, json, ndjson, plain\n'])
})

test('help COMMAND and version are known', async (t) => {
  const shell = await openShell(t)
  t.is((await shell.run(['help', 'users', 'create'])).stdout, (await shell.run(['users', 'create', '--help'])).stdout)
  t.regex((await shell.run(['help'])).stdout, /chatctl users <command>/)
  t.is((await shell.run(['version'])).stdout, (await shell.run(['--version'])).stdout)
  t.regex((await shell.run(['completion', '--help'])).stdout, /Examples:/)
})

test('empty values are refused if they would mean everything or the current folder', async (t) => {
  const shell = await openShell(t)
  for (const [args, says] of [
    [['history', '--search', 'x', '--group', ''], /--group is empty/],
    [['history', ''], /--with is empty/],
    [['broadcast', '--id', '', 'news'], /--id is empty/],
    [['broadcast', '--to', '', 'news'], /--to is empty/],
    [['users', 'list', '--data', ''], /--data is empty/],
    [['serve', '--data', ''], /--data is empty/],
    [['serve', '--db', ''], /--db is empty/],
    [['status', '--config', ''], /--config is empty/],
    [['status', '--config'], /--config is empty/],
    [['whoami', '--context', ''], /--context is empty/],
    [['whoami', '--pin', ''], /--pin is empty/],
    [['inject', 'ping', '--key', ''], /--key is empty/],
    [['plugin', 'new', 'x', '--dir', ''], /--dir is empty/],
  ] as const)
    await refused(t, shell, args, says)
})

/** Files that a command loads, relative to the root of the package. */
async function loadedBy(shell: Shell, args: readonly string[]): Promise<string[]> {
  const list = join(shell.folder, `loaded-${args.join('-')}`)
  const hooks = `import { appendFileSync } from 'node:fs'
    export async function load(url, context, next) { appendFileSync(${JSON.stringify(list)}, url + '\\n'); return next(url, context) }`
  const start = `import { register, createRequire } from 'node:module'; import { appendFileSync } from 'node:fs'
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hooks)}))
    const { _load } = createRequire('/')('module'), Module = createRequire('/')('module')
    Module._load = (name, ...rest) => { appendFileSync(${JSON.stringify(list)}, 'required:' + name + '\\n'); return _load(name, ...rest) }`
  const file = join(shell.folder, 'watch.mjs')
  await writeFile(file, start)
  await shell.run(args, { env: { NODE_OPTIONS: `--import ${pathToFileURL(file).href}` } })
  return (await readFile(list, 'utf8')).split('\n')
}

test('a command loads only the modules that it needs', async (t) => {
  const shell = await openShell(t)
  const heavy =
    /node_modules\/(zod|knex|pino|pino-pretty|@clack|jiti|better-sqlite3|mysql2|confbox|croner)\/|required:(knex|pino|better-sqlite3|mysql2)/
  for (const args of [['--version'], ['whoami'], ['send', '--help'], ['inbox'], ['completion', 'bash']]) {
    const loaded = await loadedBy(shell, args)
    t.true(
      loaded.some((url) => url.endsWith('/cli/main.js')),
      args.join(' '),
    )
    t.deepEqual(
      loaded.filter((url) => heavy.test(url)),
      [],
      args.join(' '),
    )
    const commands = loaded.filter((url) => /\/cli\/commands\/(?!index)/.test(url))
    t.true(commands.length <= 1, `${args.join(' ')}: ${commands.join(' ')}`)
    t.deepEqual(
      loaded.filter((url) => /\/(core\/server|db\/index|cli\/server\/assembly)\.js$/.test(url)),
      [],
      args.join(' '),
    )
  }
  const version = await loadedBy(shell, ['version'])
  t.deepEqual(
    version.filter((url) => /yargs/.test(url)),
    [],
  )
  const completion = await loadedBy(shell, ['__complete', 'send', '--'])
  t.deepEqual(
    completion.filter((url) => /yargs|client\/index/.test(url)),
    [],
  )
})

test('completion: commands, options, values; nothing after --', async (t) => {
  const starts = async (...words: string[]) => (await complete(words)).slice(0, 4)
  t.deepEqual(await starts('sen'), ['send'])
  t.deepEqual(await starts('users', 'pas'), ['passwd'])
  t.deepEqual(await starts('help', 'who'), ['whoami'])
  t.deepEqual(await starts('send', '--fo'), ['--font', '--font-size'])
  t.deepEqual(await starts('serve', '--log-level', 'w'), ['warn'])
  t.deepEqual(await starts('serve', '--config', ''), [':files'])
  t.deepEqual(await starts('plugin', 'check', './a.ts', ''), [':files'])
  t.deepEqual(await starts('inbox', '-o', 'nd'), ['ndjson'])
  t.deepEqual(await starts('users', 'create', 'x', '--role', 'a'), ['admin'])
  t.deepEqual(await starts('groups', 'role', 'ops', 'bob', 'ad'), ['admin'])
  t.deepEqual(await starts('inject', 'send_'), ['send_message'])
  t.deepEqual(await starts('listen', '--type', 'sys'), ['system'])
  t.deepEqual(await starts('completion', 'fi'), ['fish'])
  t.deepEqual(await starts('listen', '--exec', 'x', '--', ''), [':files'])
})

test('completion in bash offers contexts, friends and groups, and does not expand names', async (t) => {
  const shell = await openShell(t)
  const room = await shell.serve()
  await writeFile(join(shell.folder, 'pw'), 'correct horse')
  for (const name of ['alice', 'bob']) {
    await shell.run(['register', name, '--server', room.server, '--password-file', 'pw'])
    await shell.run(['login', name, '--server', room.server, '--password-file', 'pw'])
  }
  await shell.run(['friends', 'add', 'bob', '--context', 'alice'])
  await shell.run(['friends', 'accept', 'alice', '--context', 'bob'])
  const trap = '$(touch trapped)'
  t.is((await shell.run(['groups', 'create', trap, '--context', 'alice'])).code, 0)
  const script = (await shell.run(['completion', 'bash'])).stdout
  await writeFile(join(shell.folder, 'chatctl.bash'), script)
  const completed = (line: string) =>
    shell.shell(
      `source ./chatctl.bash
       compopt() { :; }
       COMP_LINE=${JSON.stringify(line).replaceAll('$', '\\$')} COMP_POINT=\${#COMP_LINE}
       read -ra COMP_WORDS <<< "$COMP_LINE"; [[ $COMP_LINE == *' ' ]] && COMP_WORDS+=("")
       COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 )); _chatctl; printf '%s\\n' "\${COMPREPLY[@]}"`,
    )
  t.is(await completed('chatctl context use a'), 'alice\n')
  t.is(await completed('chatctl send --context alice b'), 'bob\n')
  t.is(await completed('chatctl history --context alice --group '), '\\$\\(touch\\ trapped\\)\n')
  t.regex(await completed('chatctl serve --config chatctl.b'), /^chatctl\.bash\n/)
  t.is(await completed('chatctl users kick --data ./room b'), 'bob\n')
  t.is(await completed('chatctl users kick --data ./nowhere '), '\n')
  t.true((await completed('chatctl context forget 127')).startsWith(room.server))
  t.is(await completed('chatctl send --context nobody '), '\n')
  t.is(await shell.shell('ls'), await shell.shell('ls -I trapped'))
})
