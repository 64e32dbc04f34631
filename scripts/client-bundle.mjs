// Bundles the client library for browsers as an application does, without a setting for it, and checks the result:
// nothing of Node in it, and small enough. `npm run client-bundle -- --out FILE` also writes it.
import { writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

/** Bytes after gzip. A page has 120 KiB in all. */
const BUDGET = 54 * 1024

const { values } = parseArgs({
  options: { entry: { type: 'string' }, out: { type: 'string' }, budget: { type: 'string' } },
})
const entry = values.entry ?? fileURLToPath(new URL('../dist/client/index.js', import.meta.url))
const budget = Number(values.budget ?? BUDGET)

const { outputFiles, metafile } = await build({
  entryPoints: [entry],
  bundle: true,
  write: false,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  metafile: true,
  logLevel: 'silent',
  // Node's modules stay imports, so that all are reported.
  external: [...builtinModules, 'node:*'],
})
const [{ contents }] = outputFiles
const left = Object.entries(metafile.inputs).flatMap(([file, { imports }]) =>
  imports.filter(({ external }) => external).map(({ path }) => `${file} imports ${path}`),
)
const size = gzipSync(contents, { level: 9 }).length

console.log(`${size} of ${budget} bytes after gzip`)
for (const line of left) console.error(`of Node: ${line}`)
if (size > budget) console.error(`${size - budget} bytes above the budget`)
if (values.out !== undefined) writeFileSync(values.out, contents)
process.exitCode = left.length > 0 || size > budget ? 1 : 0
