// Support for the tests that drive a browser: real nodes on the loopback
// interface, with folders of their own that are gone afterwards.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import type { Transfer } from '../src/api/types'

const chrome = process.env.CHROMIUM ?? '/usr/bin/chromium'
// Chromium without its own windows, menus and services: the same pages in half the time.
const headless = '/usr/bin/chromium-headless-shell'
const shell = process.env.CHROMIUM ?? (existsSync(headless) ? headless : chrome)
const repository = resolve(import.meta.dirname, '../../..')

/** missing tells what these tests lack, and how to get it. With CI=true that is a failure. */
export function missing(): string | undefined {
  const why = !existsSync(chrome) ? `no browser at ${chrome}: apt-get install chromium`
    : !process.env.SHOAL_BINARY && spawnSync('go', ['version']).status !== 0 ? 'no Go to build the node with' : undefined
  if (why && process.env.CI === 'true') throw new Error(why)
  if (why) console.warn(`SKIPPED: ${why}`)
  return why
}

let root: string | undefined
export function folder(...parts: string[]): string {
  root ??= mkdtempSync(join(tmpdir(), 'shoal-page-'))
  const f = join(root, ...parts)
  mkdirSync(f, { recursive: true })
  return f
}
export function clean(): void {
  if (root) rmSync(root, { recursive: true, force: true })
  root = undefined
}

let binary: string | undefined
function build(): string {
  binary ??= process.env.SHOAL_BINARY
  if (!binary) {
    binary = join(folder('bin'), 'shoal')
    const r = spawnSync('go', ['build', '-trimpath', '-o', binary, './cmd/shoal'], { cwd: repository, encoding: 'utf8', env: { ...process.env, CGO_ENABLED: '0' } })
    if (r.status !== 0) throw new Error(`building the node: ${r.stderr}`)
  }
  return binary
}

const freePort = (): Promise<number> => new Promise((done, failed) => {
  const s = createServer()
  s.on('error', failed)
  s.listen(0, '::1', () => {
    const { port } = s.address() as { port: number }
    s.close(() => done(port))
  })
})

/** until polls for what f returns once it is something. */
export async function until<T>(what: string, f: () => Promise<T | undefined | false> | T | undefined | false, seconds = 30): Promise<T> {
  const end = Date.now() + seconds * 1000
  for (;;) {
    const v = await f()
    if (v) return v
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`)
    await new Promise((r) => setTimeout(r, 50))
  }
}

/** Node is a running shoal daemon with a browser's sign-in. */
export class Node {
  readonly state: string
  readonly downloads: string
  readonly home: string
  readonly secret = randomBytes(16).toString('hex')
  port = 0
  private child: ChildProcess | undefined
  private log = ''

  /** In the network namespace where, a node has the usual folders, below home as it sees them: /home/ada. */
  constructor(readonly name: string, private readonly args = ['--bootstrap', 'none', '--listen', '[::1]:0', '--no-lan'], private readonly where?: string) {
    this.home = folder(name, 'home')
    this.state = where ? folder(name, 'home', '.local', 'state', 'shoal') : folder(name, 'state')
    this.downloads = where ? folder(name, 'home', 'Downloads') : folder(name, 'downloads')
    const now = new Date().toISOString()
    const sign = { id: '0123456789ab', kind: 'browser', label: 'test', created: now, used: now, sha256: createHash('sha256').update(this.secret).digest('hex') }
    writeFileSync(join(this.state, 'credentials'), JSON.stringify({ signins: [sign] }), { mode: 0o600 })
  }

  get url(): string { return `http://[::1]:${this.port}` }

  async start(): Promise<this> {
    this.port ||= await freePort()
    const daemon = ['daemon', '--web', `[::1]:${this.port}`, ...this.args]
    this.child = this.where
      ? spawn('ip', ['netns', 'exec', this.where, 'sh', '-c', 'mount -t tmpfs none /home && mkdir /home/ada && mount --bind "$0" /home/ada && exec "$@"', this.home, build(), ...daemon],
        { env: { PATH: process.env.PATH, HOME: '/home/ada' } })
      : spawn(build(), [...daemon, '--state', this.state, '--downloads', this.downloads], { env: { ...process.env, HOME: this.home } })
    for (const s of [this.child.stdout!, this.child.stderr!]) s.on('data', (d: Buffer) => { this.log += d })
    const child = this.child
    await until(`${this.name} to be ready`, () => {
      if (child.exitCode !== null) throw new Error(`${this.name} ended: ${this.log}`)
      return this.log.includes('ready:')
    })
    return this
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const c = this.child
    if (!c || c.exitCode !== null || c.signalCode !== null) return
    const ended = new Promise((r) => c.once('exit', r))
    c.kill(signal)
    await ended
    this.log = ''
  }

  /** torrent is the .torrent file of a transfer. */
  torrent(id: string): Promise<Buffer> { return this.bytes(`/api/v1/transfers/${id}/torrent`) }

  /** metrics are those that the node tells Prometheus. */
  async metrics(): Promise<string> { return (await this.bytes('/metrics')).toString() }

  private bytes(path: string): Promise<Buffer> {
    return new Promise((done, failed) => {
      request({ socketPath: join(this.state, 'shoal.sock'), path }, (r) => {
        const chunks: Buffer[] = []
        r.on('data', (d: Buffer) => chunks.push(d))
        r.on('end', () => done(Buffer.concat(chunks)))
      }).on('error', failed).end()
    })
  }

  /** api asks over the Unix socket, which needs no sign-in. */
  api<T>(method: string, path: string, body?: unknown): Promise<T> {
    return new Promise((done, failed) => {
      const r = request({ socketPath: join(this.state, 'shoal.sock'), path: '/api/v1' + path, method, headers: { 'Content-Type': 'application/json' } }, (res) => {
        let text = ''
        res.on('data', (d: Buffer) => { text += d })
        res.on('end', () => (res.statusCode! < 300 ? done((text ? JSON.parse(text) : undefined) as T) : failed(new Error(text))))
      })
      r.on('error', failed)
      r.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }
}

/** content makes a file of random bytes. */
export function content(name: string, size: number): string {
  const f = join(folder('content'), name)
  writeFileSync(f, randomBytes(size))
  return f
}

/** seeded waits until n shares what is at path. */
export const seeded = (n: Node, path: string): Promise<Transfer> => until('it to be shared', async () =>
  (await n.api<Transfer[]>('GET', '/transfers')).find((t) => t.path === path && t.state === 'seeding'))

/** publish has n share what is at path. */
export async function publish(n: Node, path: string, name?: string): Promise<Transfer> {
  await n.api('POST', '/shares', { path, ...(name ? { name } : {}) })
  return seeded(n, path)
}

/** twice has a browser show text at twice its usual size, as a reader sets it; the rest stays. */
export const twice = '--blink-settings=defaultFontSize=32'

const start = (executablePath: string, ...more: string[]): Promise<Browser> => chromium.launch({
  executablePath,
  args: [...more, '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})

/** launch starts a browser, which with a namespace is on the same host as a node there. */
export const launch = (where?: string, ...more: string[]): Promise<Browser> => start(where ? inside(where) : shell, ...more)

/** whole starts the browser as people have it: for notifications, and for what is measured. */
export const whole = (): Promise<Browser> => start(chrome)

function inside(where: string): string {
  const f = join(folder('bin'), `chromium-${where}`)
  const fonts = join(folder('bin'), 'fonts.conf')
  const inter = ['system-ui', 'sans-serif'].map((n) => `<match target="pattern"><test name="family"><string>${n}</string></test><edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match>`)
  writeFileSync(fonts, `<?xml version="1.0"?><fontconfig><include>/etc/fonts/fonts.conf</include>${inter.join('')}</fontconfig>`)
  writeFileSync(f, `#!/bin/sh\nFONTCONFIG_FILE=${fonts} exec ip netns exec ${where} ${shell} "$@"\n`, { mode: 0o755 })
  return f
}

/** visit is a browser that is signed in. */
export async function visit(b: Browser, n: Node, options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const c = await b.newContext({ viewport: { width: 1280, height: 820 }, reducedMotion: 'reduce', ...options })
  await c.addCookies([{ name: `shoal_${n.port}`, value: n.secret, url: n.url }])
  return c
}

/** watched gives a page patience, and collects what it complains of; a script of somebody else's is worth a complaint. */
export function watched(p: Page): string[] {
  const complaints: string[] = []
  p.setDefaultTimeout(30_000)
  p.on('pageerror', (e) => complaints.push(e.message))
  p.on('dialog', (d) => { if (d.type() !== 'beforeunload') complaints.push(`it said ${d.message()}`); void d.dismiss() })
  // The browser tells of what the policy forbids here, too. That a node did not answer is no
  // complaint: tests end nodes, perhaps while the browser asks for the worker's script.
  p.on('console', (m) => { if (m.type() === 'error' && !/Failed to load resource|unknown error occurred when fetching the script/.test(m.text())) complaints.push(m.text()) })
  return complaints
}

/** Stage is a browser that looks at near, and far beside it. */
export interface Stage {
  browser: Browser
  near: Node
  far: Node
  context: BrowserContext // and page: of each test anew
  page: Page
  open: (path: string) => Promise<void> // a screen of near
}

/** stage sets the tests of a file up: take is given the stage before each. What a page complains of fails its test. */
export function stage(take: (s: Stage) => void, nodes = (): Promise<[Node, Node]> => Promise.all([new Node('near').start(), new Node('far').start()])): void {
  const s = {
    async open(path) {
      await s.page.goto(s.near.url + path)
      await s.page.locator('main h1').first().waitFor()
    },
  } as Stage
  let complaints: string[] = []
  beforeAll(async () => {
    ;[s.browser, [s.near, s.far]] = await Promise.all([launch(), nodes()])
  }, 180_000)
  afterAll(async () => {
    await s.browser?.close()
    await Promise.all([s.near?.stop(), s.far?.stop()])
    clean()
  }, 60_000)
  beforeEach(async () => {
    s.context = await visit(s.browser, s.near, { permissions: ['clipboard-read', 'clipboard-write'] })
    s.page = await s.context.newPage()
    complaints = watched(s.page)
    take(s)
  }, 60_000)
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(`the page was at ${s.page.url()}: ${JSON.stringify(await s.page.locator('dialog[open], main').allInnerTexts().catch(String))}`)
    await s.context.close()
    // The lists of channels go with these only.
    for (const t of await s.near.api<Transfer[]>('GET', '/transfers')) if (!t.channel) await s.near.api('DELETE', `/transfers/${t.id}`)
    expect(complaints).toEqual([])
  }, 60_000)
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** ofColours are the rules of axe that a page in other colours could break. */
export const ofColours = ['color-contrast', 'link-in-text-block']

/** copied waits until the clipboard has what is asked for, which a page puts there a moment after the click. */
export const copied = (p: Page, text: string): Promise<boolean> => until('it to be copied', async () => await p.evaluate(() => navigator.clipboard.readText()) === text)

/** violations are what axe finds, by all of its rules or by some. It is put in by the debugger: the page's policy would not let it. */
export async function violations(p: Page, rules?: string[]): Promise<string[]> {
  const cdp = await p.context().newCDPSession(p)
  // Of what is in order nothing is told, and no style sheet is fetched for rules that are off: that took most of the time.
  const { result: has } = await cdp.send('Runtime.evaluate', { expression: 'typeof axe', returnByValue: true })
  const { result, exceptionDetails } = await cdp.send('Runtime.evaluate', {
    expression: `${has.value === 'undefined' ? axe : ''};axe.run({ resultTypes: ['violations'], preload: false${rules ? `, runOnly: ${JSON.stringify(rules)}` : ''} }).then((r) => JSON.stringify(r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.target).join(', '))))`,
    awaitPromise: true, returnByValue: true,
  })
  await cdp.detach()
  if (exceptionDetails) throw new Error(`axe: ${exceptionDetails.text}`)
  return JSON.parse(result.value as string) as string[]
}

const looks = [['light', 'light', 1280], ['dark', 'dark', 1280], ['phone', 'light', 360]] as const

/** looked has axe and fits look at a page in light, dark and as on a phone, without loading it again. With SHOTS=DIR it takes pictures. */
export async function looked(p: Page, name: string, fits: (where: string) => Promise<void>): Promise<void> {
  const size = p.viewportSize()!
  for (const [look, colorScheme, width] of looks) {
    await p.emulateMedia({ colorScheme })
    await p.setViewportSize({ width, height: 800 })
    await fits(`${name}, ${look}`)
    expect(await violations(p, look === 'dark' ? ofColours : undefined), `${name}, ${look}`).toEqual([])
    if (process.env.SHOTS) await p.screenshot({ path: join(process.env.SHOTS, `${name.replaceAll(/\W+/g, '-')}-${look}.png`) })
  }
  await p.emulateMedia({ colorScheme: 'light' })
  await p.setViewportSize(size)
}

/** sideways tells whether the content of the page must be scrolled sideways. */
export const sideways = (p: Page): Promise<boolean> => p.evaluate(() => { const m = document.querySelector('main')!; return m.scrollWidth > m.clientWidth })

/** harmless tells whether names are text on a page, in no order but their own, and within it. */
export async function harmless(p: Page, where: string): Promise<void> {
  await until('the content', async () => (await p.locator('.working').count()) === 0)
  expect(await p.locator('body script, body img').count(), where).toBe(0)
  expect(await p.locator('body').innerText(), where).not.toContain('\u202e')
  // What is drawn on a canvas follows its box a moment later.
  await expect.poll(() => p.evaluate(() => [...document.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.table-box, .grid, .tabs, .chips, .offscreen')).map((e) => e.outerHTML.slice(0, 100))), { message: where, timeout: 10_000 }).toEqual([])
  expect(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth), where).toBe(true)
  expect(await p.evaluate(() => [...document.querySelectorAll('dialog')].every((d) => d.scrollWidth <= d.clientWidth)), where).toBe(true)
}

/** cutOff lists the texts that are higher than the box that they are in, which hides what does not fit. */
export const cutOff = (p: Page): Promise<string[]> => p.evaluate(() => [...document.querySelectorAll<HTMLElement>('#app *')].filter((e) => {
  const s = getComputedStyle(e)
  return e.scrollHeight > e.clientHeight + 1 && s.overflowY !== 'auto' && s.overflowY !== 'visible' && s.clipPath === 'none' && e.textContent
}).map((e) => `${e.className}: ${e.scrollHeight} in ${e.clientHeight}: ${e.textContent}`))

interface Traced { ph: string; name: string; pid: number; tid: number; dur?: number; args: { name?: string; elementCount?: number } }

/** scroll turns the wheel through the list of transfers, and returns what is traced of these categories meanwhile. */
async function scroll(page: Page, ...categories: string[]): Promise<Traced[]> {
  const browser = page.context().browser()!
  await browser.startTracing(page, { categories })
  await page.locator('.grid').hover()
  for (let i = 0; i < 60; i++) {
    await page.mouse.wheel(0, 1500)
    await page.waitForTimeout(50)
  }
  return (JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: Traced[] }).traceEvents
}

/** longest scrolls and returns the longest task of the page's main thread, in milliseconds. A page itself is told only of 50 ms and more. */
export async function longest(page: Page): Promise<number> {
  const events = await scroll(page, 'toplevel')
  const thread = (e: Traced): string => `${e.pid} ${e.tid}`
  const mains = events.filter((e) => e.ph === 'M' && e.name === 'thread_name' && e.args.name === 'CrRendererMain')
  const tasks = new Map<string, number[]>(mains.map((e) => [thread(e), []]))
  for (const e of events) if (e.ph === 'X' && e.name === 'ThreadControllerImpl::RunTask') tasks.get(thread(e))?.push((e.dur ?? 0) / 1000)
  // Other renderers are kept ready by the browser, and have little to do.
  const sum = (t: number[]): number => t.reduce((a, b) => a + b, 0)
  const busiest = [...tasks.values()].sort((a, b) => sum(b) - sum(a))[0]!
  return Math.max(...busiest)
}

/** restyled scrolls and returns of how many elements the styles were resolved again at once: the median of all times. */
export async function restyled(page: Page): Promise<number> {
  const counts = (await scroll(page, 'devtools.timeline')).filter((e) => e.name === 'UpdateLayoutTree').map((e) => e.args.elementCount ?? 0).sort((a, b) => a - b)
  return counts[counts.length >> 1]!
}

/** watchRows has each load of a page note when its first transfers have been painted; shownAt reads it. */
export const watchRows = (page: Page): Promise<unknown> => page.addInitScript(() => {
  const seen = new MutationObserver(() => {
    if (!document.querySelector('.grid-body [role=row]')) return
    seen.disconnect()
    // The task after the next frame: the frame has been painted.
    requestAnimationFrame(() => { setTimeout(() => Object.assign(window, { shownAt: performance.now() })) })
  })
  seen.observe(document, { childList: true, subtree: true })
})

/** shownAt is the time from the request for the page until its first transfers were painted, in milliseconds. */
export const shownAt = async (page: Page): Promise<number> => (await page.waitForFunction(() => (window as unknown as { shownAt?: number }).shownAt)).jsonValue() as Promise<number>
