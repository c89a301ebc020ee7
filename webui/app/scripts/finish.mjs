// Ends a build: writes ../dist/.inputs and keeps the page within its budget.
//
// .inputs is the SHA-256, in hex, over one line "PATH\0SHA-256 of the content\n"
// for each source, sorted by path. Sources are package.json, package-lock.json,
// index.html, vite.config.ts, tsconfig.json, and all below public and src.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const app = new URL('../', import.meta.url)
const dist = new URL('../../dist/', import.meta.url)
const sha = (b) => createHash('sha256').update(b).digest('hex')
const below = (folder) => readdirSync(fileURLToPath(new URL(folder, app)), { recursive: true, withFileTypes: true })
  .filter((e) => e.isFile())
  .map((e) => relative(fileURLToPath(app), join(e.parentPath, e.name)).replaceAll('\\', '/'))

const sources = ['package.json', 'package-lock.json', 'index.html', 'vite.config.ts', 'tsconfig.json', ...below('public'), ...below('src')]
const lines = sources.sort((a, b) => (a < b ? -1 : 1)).map((p) => `${p}\0${sha(readFileSync(new URL(p, app)))}\n`)
writeFileSync(new URL('.inputs', dist), sha(lines.join('')) + '\n')

// What a first visit loads, and everything; gzip, in bytes.
const first = 60_000
const total = 100_000
const lazy = new Set(['plot.js', 'qrcode.js', 'qrread.js'])
let all = 0
let begin = 0
for (const name of readdirSync(dist)) {
  if (name.startsWith('.')) continue
  const size = gzipSync(readFileSync(new URL(name, dist)), { level: 9 }).length
  all += size
  if (!lazy.has(name)) begin += size
  console.log(name.padEnd(16), String(size).padStart(7))
}
console.log('first load'.padEnd(16), String(begin).padStart(7), 'of', first)
console.log('all'.padEnd(16), String(all).padStart(7), 'of', total)
if (begin >= first || all >= total) {
  console.error('the page is larger than its budget')
  process.exit(1)
}
