// Loaded into a node with `--import`.
import { register } from 'node:module'

register('./auto-increment-hooks.js', import.meta.url)
