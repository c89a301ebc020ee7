// Ends a build: fills in the service worker, writes ../dist/.inputs and keeps the page
// within its budget.
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

// What the first script imports is asked for with it, not after it has arrived.
const index = new URL('index.html', dist)
const imported = [...readFileSync(new URL('app.js', dist), 'utf8').matchAll(/(?:from|import)\s*["']\.\/([^"']+)["']/g)].map(([, name]) => name)
const links = [...new Set(imported)].sort().map((name) => `    <link rel="modulepreload" crossorigin href="/${name}">\n`).join('')
writeFileSync(index, readFileSync(index, 'utf8').replace(/^ *<link rel="stylesheet"/m, `${links}$&`))

// The service worker keeps what the page consists of, in a cache named after it.
const parts = readdirSync(dist).filter((n) => !n.startsWith('.') && n !== 'sw.js').sort()
const worker = readFileSync(new URL('sw.js', app.href + 'public/'), 'utf8')
const build = sha(worker + parts.map((n) => `${n}\0${sha(readFileSync(new URL(n, dist)))}\n`).join('')).slice(0, 16)
const kept = parts.map((n) => (n === 'index.html' ? '/' : `/${n}`))
writeFileSync(new URL('sw.js', dist), worker.replace('BUILD', build).replace("'SHELL'", kept.map((n) => `'${n}'`).join(', ')))

// What a first visit loads, and everything; gzip, in bytes. The first load is what
// index.html refers to, with what those scripts import at their heads.
const first = 70_000
const total = 160_000
// Libraries that are loaded when needed: drawing charts, drawing and reading QR codes.
const libraries = new Set(['plot.js', 'qrcode.js', 'qrread.js'])
const text = (name) => readFileSync(new URL(name, dist), 'utf8')
const begin = new Set(['index.html'])
for (const name of begin) {
  const refers = name.endsWith('.html') ? /(?:src|href)="\/([^"]+)"/g : name.endsWith('.js') ? /(?:from|import)\s*["']\.\/([^"']+)["']/g : undefined
  if (refers) for (const [, other] of text(name).matchAll(refers)) begin.add(other)
}
let all = 0
let now = 0
for (const name of readdirSync(dist)) {
  if (name.startsWith('.')) continue
  const size = gzipSync(readFileSync(new URL(name, dist)), { level: 9 }).length
  if (!libraries.has(name)) all += size
  if (begin.has(name)) now += size
  console.log(name.padEnd(16), String(size).padStart(7), begin.has(name) ? '' : '  when needed')
}
console.log('first load'.padEnd(16), String(now).padStart(7), 'of', first)
console.log('all'.padEnd(16), String(all).padStart(7), 'of', total)
if (now >= first || all >= total) {
  console.error('the page is larger than its budget')
  process.exit(1)
}
