import { render } from 'preact'
import { App } from './app.tsx'
import { loadAvatars } from './avatar.tsx'
import { attempt, onWorkerEvent } from './state.ts'
import { openWorker, scriptUrl } from './worker.ts'

openWorker(onWorkerEvent)
const root = document.getElementById('app')
if (root !== null) render(<App />, root)
void attempt(loadAvatars())

// The shell is then shown without a connection too. Only secure origins have service workers.
if ('serviceWorker' in navigator) void attempt(navigator.serviceWorker.register(scriptUrl('/sw.js')))
