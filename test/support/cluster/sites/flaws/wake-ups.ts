// Loaded into a node with `--import`: it reads the log only when another node says so.
import { LogFeed } from '../../../../../db/log-feed.ts'

LogFeed.prototype.catchUp = async () => {}
Object.defineProperty(LogFeed.prototype, 'isBehind', { get: () => false })
