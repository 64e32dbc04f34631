// Plays random runs of servers and clients on a simulated machine: --seeds 1000 [--from N] [--seed N] [--nodes 1|3].
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const folder = new URL('../dist/test/simulation/', import.meta.url)
const [machine, main] = ['machine/install.js', 'main.js'].map((file) => fileURLToPath(new URL(file, folder)))
// Runs leave much garbage, which dies young: this spares a tenth of the time.
const flags = ['--max-semi-space-size=64', '--import', machine]
const run = spawn(process.execPath, [...flags, main, ...process.argv.slice(2)], { stdio: 'inherit' })
const [code] = await once(run, 'exit')
process.exitCode = code ?? 1
