/** Files of this build, and its id; set by the build. */
declare const ASSETS: readonly string[]
declare const BUILD: string

const worker = self as unknown as ServiceWorkerGlobalScope

const CACHE = `chatctl-${BUILD}`
const SHELL = '/'

/** Keeps the files of this build, so that the page opens without a connection. */
worker.addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll([SHELL, ...ASSETS])))
})

/** Deletes the files of earlier builds, once no tab shows them any more. */
worker.addEventListener('activate', (event) => {
  const deleteOthers = async () => {
    const names = await caches.keys()
    await Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)))
  }
  event.waitUntil(deleteOthers())
})

worker.addEventListener('fetch', (event) => {
  const { request } = event
  const { pathname } = new URL(request.url)
  // The page itself comes from the server whenever it can, so that a new build is never held back.
  if (request.mode === 'navigate') event.respondWith(fetch(request).catch(() => fromCache(SHELL)))
  else if (ASSETS.includes(pathname)) event.respondWith(caches.match(request).then((found) => found ?? fetch(request)))
})

const fromCache = async (path: string): Promise<Response> => (await caches.match(path)) ?? Response.error()
