import { INDEX, type StaticFiles, staticFile, withRoot } from './files.ts'

const NOTICE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>chatctl</title>
<h1>chatctl</h1>
<p>A chat server runs here. Its page was not built: run <code>npm run build</code>, and start the server again.</p>
<p>Programs connect to <code>/chat</code> with the same encrypted protocol as over TCP. At the first contact, compare the
server's key with the fingerprint that <code>chatctl serve</code> prints at its start, and <code>chatctl status</code> later.</p>
<p>How to connect: <code>docs/PROTOCOL.md</code> and <code>docs/OPERATIONS.md</code> of the package.</p>
</html>
`

/** What is served in place of a page that was not built. */
export async function placeholder(): Promise<StaticFiles> {
  return withRoot(new Map([[`/${INDEX}`, staticFile(INDEX, [['identity', Buffer.from(NOTICE)]])]]))
}
