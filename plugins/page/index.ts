import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { definePlugin, SetupError } from '../../core/index.ts'
import { INDEX, type StaticFiles, staticFiles } from './files.ts'
import { placeholder } from './placeholder.ts'
import { sendFile } from './sending.ts'

/** The built page, beside the built plugins. */
const BUILT_PAGE = fileURLToPath(new URL('../../web', import.meta.url))

/** Serves the page of the browser client over HTTP; a notice where the page was not built. */
export const page = definePlugin({
  name: 'page',
  options: z
    .strictObject({
      /** Folder with an `index.html` to serve in place of the page that comes with the server. */
      folder: z.string().min(1).optional(),
    })
    .prefault({}),
  setup(app, { options }) {
    const folder = options.folder === undefined ? BUILT_PAGE : resolve(options.folder)
    if (options.folder !== undefined && !existsSync(resolve(folder, INDEX)))
      throw new SetupError(`options.page.folder: there is no ${INDEX} in ${folder}`, { isSetting: true })
    let files: Promise<StaticFiles> | undefined
    const load = () => (existsSync(resolve(folder, INDEX)) ? staticFiles(folder) : placeholder())
    app.http.route({
      prefix: '/',
      async handle(request, response) {
        // Read once, at the first request: a server without HTTP needs none, and an upgrade mixes no versions.
        files ??= load().catch((error) => {
          files = undefined
          throw error
        })
        sendFile(await files, request, response)
      },
    })
  },
})
