// Builds the page of `web/` into `dist/web`: hashed assets, each also compressed. Fails above the size budget.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { build } from 'esbuild'

/** Bytes of all files together, compressed with gzip. */
const BUDGET = 120 * 1024

const OUT = 'dist/web'
const require = createRequire(import.meta.url)

const common = {
  bundle: true,
  minify: true,
  write: true,
  metafile: true,
  legalComments: 'none',
  target: ['es2023', 'chrome123', 'firefox128', 'safari17.5'],
  logLevel: 'warning',
  outdir: `${OUT}/assets`,
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  jsx: 'automatic',
  jsxImportSource: 'preact',
}

/** Public path of the file that was built from an entry point. */
function outputOf({ metafile }, entry) {
  const [path] = Object.entries(metafile.outputs).find(([, output]) => output.entryPoint === entry)
  return path.slice(OUT.length)
}

/** Emoji with their names in both languages, without the variants of sex and skin, flags, and those too new for fonts. */
function emojiRows() {
  const NEWEST = 14
  const [FLAGS, COMPONENTS] = [9, 2]
  const chinese = new Map(
    require('emoji-picker-element-data/zh/emojibase/data.json').map(({ emoji, annotation }) => [emoji, annotation]),
  )
  return require('emoji-picker-element-data/en/emojibase/data.json')
    .filter(({ group, version }) => group !== FLAGS && group !== COMPONENTS && version <= NEWEST)
    .filter(({ emoji, annotation }) => !/^(man|woman)\b/.test(annotation) && !/\u200d[\u2640\u2642]/.test(emoji))
    .map(({ emoji, group, annotation }) => [emoji, group, annotation, chinese.get(emoji) ?? annotation])
}

const emoji = {
  name: 'emoji',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^virtual:emoji$/ }, ({ path }) => ({ path, namespace: 'emoji' }))
    // By columns, which compress better than rows.
    onLoad({ filter: /.*/, namespace: 'emoji' }, () => {
      const columns = [0, 1, 2, 3].map((at) =>
        JSON.stringify(
          emojiRows()
            .map((row) => row[at])
            .join('|'),
        ),
      )
      return {
        contents: `const [emoji, group, en, zh] = [${columns}].map((column) => column.split('|'))
          export const EMOJI = emoji.map((sign, at) => [sign, Number(group[at]), en[at], zh[at]])`,
      }
    })
  },
}

/** Drops the descriptions of messages and their fields: they are for documents, and a tenth of the worker. */
const withoutDescriptions = {
  name: 'without-descriptions',
  setup({ onLoad }) {
    onLoad({ filter: /(plugins\/[^/]+\/(messages|fields)|core\/wire\/(control|failures))\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: readFileSync(path, 'utf8').replace(
        /(\babout:|\b(?:bool|bytes|float64|groupName|u?int\d+|line|list|oneOf|preHash|role|scramKey|scramText|text|userName)\()\s*'(?:[^'\\\n]|\\.)*'/g,
        "$1''",
      ),
    }))
  },
}

/** The client library from its source, on the browser's platform. */
const platform = {
  '#platform/crypto': './core/platform/browser-crypto.ts',
  '#platform/dial': './client/browser-dial.ts',
  '#platform/runtime': './core/platform/browser-runtime.ts',
}

async function buildScripts() {
  const worker = await build({
    ...common,
    entryPoints: { worker: 'web/worker/main.ts' },
    format: 'iife',
    platform: 'browser',
    alias: platform,
    plugins: [withoutDescriptions],
  })
  const workerPath = outputOf(worker, 'web/worker/main.ts')
  const page = await build({
    ...common,
    entryPoints: { main: 'web/ui/main.tsx', style: 'web/style/main.css' },
    format: 'esm',
    splitting: true,
    define: { WORKER_PATH: JSON.stringify(workerPath) },
    plugins: [emoji],
  })
  return { script: outputOf(page, 'web/ui/main.tsx'), style: outputOf(page, 'web/style/main.css') }
}

function writePage(paths) {
  const html = readFileSync('web/index.html', 'utf8').replace(/\{\{(\w+)\}\}/g, (_, name) => paths[name])
  writeFileSync(join(OUT, 'index.html'), html)
  for (const file of readdirSync('web/static')) writeFileSync(join(OUT, file), readFileSync(join('web/static', file)))
  return html
}

async function buildServiceWorker(html) {
  const assets = readdirSync(join(OUT, 'assets')).sort()
  const id = createHash('sha256').update(html).update(assets.join()).digest('hex').slice(0, 8)
  await build({
    ...common,
    entryPoints: { sw: 'web/service/sw.ts' },
    outdir: OUT,
    entryNames: '[name]',
    format: 'iife',
    define: { ASSETS: JSON.stringify(assets.map((name) => `/assets/${name}`)), BUILD: JSON.stringify(id) },
  })
}

/** Writes `.gz` and `.br` beside each file. @returns the bytes of each with gzip */
function compress() {
  const files = readdirSync(OUT, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return files.map(({ parentPath, name }) => {
    const path = join(parentPath, name)
    const content = readFileSync(path)
    const gzipped = gzipSync(content, { level: 9 })
    writeFileSync(`${path}.gz`, gzipped)
    writeFileSync(`${path}.br`, brotliCompressSync(content))
    return { name: basename(path), bytes: gzipped.length }
  })
}

rmSync(OUT, { recursive: true, force: true })
mkdirSync(OUT, { recursive: true })
await buildServiceWorker(writePage(await buildScripts()))
const sizes = compress()
const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0)
if (process.argv.includes('--sizes')) console.table(sizes)
console.log(`dist/web: ${total} bytes with gzip, of ${BUDGET}`)
if (total > BUDGET) {
  console.table(sizes)
  console.error(`dist/web is over its size budget by ${total - BUDGET} bytes`)
  process.exit(1)
}
