import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { ExecutionContext } from 'ava'
import type { Person } from './person.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Violation {
  readonly id: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[]
}

/** Fails for each rule that the screen breaks. */
export async function checkScreen(t: ExecutionContext, { page }: Person, screen: string) {
  // The page's own policy forbids what a test adds, so it is evaluated by the debugger.
  await page.evaluate(`globalThis.axe ?? (() => { ${AXE} })()`)
  const broken = (await page.evaluate(
    `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)`,
  )) as Violation[]
  t.deepEqual(
    broken.map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`),
    [],
    screen,
  )
}
