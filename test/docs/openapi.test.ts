import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { Validator } from '@seriousme/openapi-schema-validator'
import test from 'ava'
import { generateApi } from 'swagger-typescript-api'
import { BUILT_IN_MESSAGES } from '../../client/index.ts'
import { bytes, Catalogue, clientMessage, definePlugin, line, list, serverMessage } from '../../core/index.ts'
import { openApi } from '../../plugins/api/openapi.ts'
import { apiServer, tokenOf } from '../support/http/api.ts'
import { openShell } from '../support/processes/shell.ts'
import { tempFolder } from '../support/temp-folder.ts'

const run = promisify(execFile)
const TSC = fileURLToPath(new URL('../../../node_modules/typescript/bin/tsc', import.meta.url))

const Weighed = serverMessage({
  type: 1251,
  name: 'weighed',
  about: 'Weighed.',
  fields: { seal: bytes('seal'), parts: list('parts', { name: line('name') }) },
})
const Weigh = clientMessage({
  type: 1250,
  name: 'weigh',
  about: 'Weighs a thing.',
  allow: 'user',
  fields: { thing: line('the thing', { min: 1 }) },
  reply: Weighed,
})
const scales = definePlugin({
  name: 'scales',
  messages: { Weigh, Weighed },
  setup(app) {
    app.handle(Weigh, (_session, { thing }) => ({ seal: Buffer.from(thing), parts: [{ name: thing }] }))
  },
})

test('the document is valid OpenAPI 3.1, and has the messages of plugins', async (t) => {
  const { call } = await apiServer(t, { plugins: [scales] })
  const { json, headers } = await call('/v1/openapi.json')
  t.is(headers['content-type'], 'application/json')
  const { valid, errors } = await new Validator().validate(json)
  t.true(valid, JSON.stringify(errors))
  t.is(json.openapi.slice(0, 3), '3.1')
  t.is(json.paths['/v1/call/weigh'].post.requestBody.required, true)
  for (const name of ['create_token', 'login', 'act_as', 'receive', 'change_password'])
    t.is(json.paths[`/v1/call/${name}`], undefined, name)
})

test('the document of the command line is that of a server without other plugins', async (t) => {
  const shell = await openShell(t)
  const { code, stdout } = await shell.run(['protocol', '--openapi'])
  t.is(code, 0)
  t.deepEqual(JSON.parse(stdout), JSON.parse(JSON.stringify(openApi(new Catalogue(BUILT_IN_MESSAGES)))))
})

test('a client generated from the document compiles, and works with a message of a plugin', async (t) => {
  const { server, url, call } = await apiServer(t, { plugins: [scales] })
  const folder = await tempFolder(t)
  const { json: spec } = await call('/v1/openapi.json')
  await generateApi({ spec, output: folder, fileName: 'client.ts', silent: true })
  await writeFile(
    join(folder, 'use.ts'),
    `import { Api } from './client.ts'
    export async function weigh(baseUrl: string, token: string): Promise<string> {
      const api = new Api({ baseUrl, baseApiParams: { headers: { Authorization: \`Bearer \${token}\` } } })
      const sent = await api.v1.send({ to: 'alice', text: 'hi' })
      const weighed = await api.v1.callWeigh({ thing: 'gold' })
      const [part] = weighed.data.parts
      return \`\${weighed.data.seal} \${part?.name} \${sent.data.id > 0}\`
    }`,
  )
  const options = ['--strict', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler']
  const more = ['--rewriteRelativeImportExtensions', '--skipLibCheck', '--lib', 'es2022,dom,dom.iterable']
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  await run(process.execPath, [TSC, ...options, ...more, '--types', '', 'use.ts'], { cwd: folder })
  const { weigh } = await import(pathToFileURL(join(folder, 'use.js')).href)
  const token = await tokenOf(await server.user('alice'))
  t.is(await weigh(url, token), `${Buffer.from('gold').toString('base64')} gold true`)
})
