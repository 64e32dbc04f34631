// Writes the generated parts of the documents; a test compares them. Runs on the built code.
import { readFileSync, writeFileSync } from 'node:fs'
import { limitTable } from '../dist/cli/output/limit-table.js'
import { protocolTables } from '../dist/cli/output/protocol-tables.js'
import { BUILT_IN_MESSAGES, Catalogue } from '../dist/client/index.js'
import { importDrawing } from '../dist/test/support/import-graph.js'

const PARTS = {
  'docs/PROTOCOL.md': protocolTables([...new Catalogue(BUILT_IN_MESSAGES)]),
  'docs/OPERATIONS.md': limitTable(),
  'docs/ARCHITECTURE.md': importDrawing(),
}

for (const [file, part] of Object.entries(PARTS)) {
  const between = /(<!-- generated: [^>]* -->\n)[\s\S]*(<!-- end of generated -->)/
  writeFileSync(
    file,
    readFileSync(file, 'utf8').replace(between, (_all, start, end) => `${start}\n${part}\n\n${end}`),
  )
}
