import { readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Profiled, summaryOf } from './summary.ts'

/** The files of one profile in a folder: the profile, and its summary in Markdown. */
export async function profileOf(folder: string, title: string) {
  const path = join(resolve(folder), title.replace(/\W+/g, '-'))
  const file = `${path}.cpuprofile`
  // Its end is recognized by the file.
  await rm(file, { force: true })
  return {
    file,
    async summarize(result: Omit<Profiled, 'title'>) {
      await writeFile(`${path}.md`, summaryOf(JSON.parse(await readFile(file, 'utf8')), { ...result, title }))
    },
  }
}
