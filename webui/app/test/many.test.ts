// How the page does with ten thousand transfers. They come from a scripted
// server: what is measured is the page, and no node has that many here.
import { createServer, type Server, type ServerResponse } from 'node:http'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { extname, join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launch, longest, missing, restyled, shownAt, watchRows } from './lab'

const many = 10_000
const runs = Number(process.env.BENCH_RUNS ?? 1)
const dist = resolve(import.meta.dirname, '../../dist')
const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }

const id = (i: number): string => i.toString(16).padStart(40, '0')
function row(i: number): object {
  const state = ['seeding', 'fetching', 'paused', 'seeding'][i % 4]
  return {
    id: id(i), name: `Transfer number ${i}, with a name as long as they are`, state, bytes: 5e8, total: 1e9, size: 1e9, files: 12, down: state === 'fetching' ? 100_000 : 0, up: 0,
    downloaded: 5e8, uploaded: i * 1000, peers: i % 7, seeds: 1, path: `/srv/downloads/Transfer number ${i}, with a name as long as they are`, own: false,
    link: `magnet:?xt=urn:btih:${id(i)}&dn=Transfer%20number%20${i}&xl=1000000000&x.pe=[2001:db8::5]:51413`,
    added: new Date(1.7e12 + i * 1000).toISOString(), limits: { down: 0, up: 0 }, goal: {},
  }
}

const lacks = missing()
describe.skipIf(lacks)('with ten thousand transfers', { timeout: 120_000 }, () => {
  let server: Server, browser: Browser, base: string
  const streams = new Set<ServerResponse>()
  let n = 1
  let ticks: ReturnType<typeof setInterval>
  beforeAll(async () => {
    // What is sent is made beforehand: the time that it takes is none of the page's.
    const files = new Map(readdirSync(dist).map((name) => ['/' + name, gzipSync(readFileSync(join(dist, name)))]))
    const all = JSON.stringify({ transfers: Object.fromEntries(Array.from({ length: many }, (_, i) => [id(i), row(i)])), stats: { down: 1, up: 2, free: 1e12, states: {}, limits: {} } })
    const reset = Buffer.from(`event: reset\nid: boot-1\ndata: ${all}\n\n`)
    server = createServer((req, res) => {
      const path = new URL(req.url!, 'http://x').pathname
      if (path === '/api/v1/events') {
        res.writeHead(200, { 'Content-Type': 'text/event-stream' })
        res.write(reset)
        streams.add(res)
        req.on('close', () => streams.delete(res))
      } else if (path.startsWith('/api/')) res.writeHead(404, { 'Content-Type': 'application/json' }).end('{}')
      else {
        const name = extname(path) ? path : '/index.html'
        res.writeHead(200, { 'Content-Type': types[extname(name)] ?? 'text/plain', 'Content-Encoding': 'gzip' }).end(files.get(name))
      }
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    base = `http://127.0.0.1:${(server.address() as { port: number }).port}`
    ticks = setInterval(() => {
      n++
      const changes = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [id((i * 37 + n) % many), { down: n * 1000 + i, bytes: 5e8 + n }]))
      const patch = `event: patch\nid: boot-${n}\ndata: ${JSON.stringify({ transfers: changes, stats: { down: n } })}\n\n`
      for (const s of streams) s.write(patch)
    }, 1000)
    browser = await launch()
  }, 60_000)
  afterAll(async () => {
    clearInterval(ticks)
    await browser?.close()
    server?.closeAllConnections()
    server?.close()
  })

  test('few rows are drawn, all can be reached, and what it takes is told', async () => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 820 } })
    const row = page.locator('.grid-body [role=row]').first()
    await watchRows(page)
    await page.goto(base + '/')
    await row.waitFor()
    const first: number[] = []
    const tasks: number[] = []
    for (let i = 0; i < runs; i++) {
      await page.goto(base + '/')
      first.push(await shownAt(page))
      await page.getByText('number 9999').waitFor()
      tasks.push(await longest(page))
    }
    // A row that is used again costs its texts: neither new elements, nor the styles of all its cells.
    await page.locator('.grid').evaluate((g) => {
      g.scrollTo(0, 0)
      const body = g.querySelector('.grid-body > div')!
      const rows = new Set<Node>(body.children)
      const made = Object.assign(window, { made: 0 })
      new MutationObserver((all) => { for (const m of all) for (const n of m.addedNodes) if (!rows.has(n)) made.made++ }).observe(body, { childList: true })
    })
    const drawn = await page.locator('.grid-body [role=row]').count()
    expect(await restyled(page)).toBeLessThan(5 * drawn)
    expect(await page.evaluate(() => (window as unknown as { made: number }).made)).toBe(0)
    await page.getByRole('button', { name: 'Name', exact: true }).click()
    await page.locator('.grid').evaluate((g) => g.scrollTo(0, g.scrollHeight))
    await page.getByText('number 9999').waitFor()
    expect(await page.locator('.grid-body [role=row]').count()).toBeLessThan(60)
    expect(await page.locator('*').count()).toBeLessThan(2000)
    const cdp = await page.context().newCDPSession(page)
    await cdp.send('HeapProfiler.collectGarbage')
    const { usedSize } = await cdp.send('Runtime.getHeapUsage')
    // Times are told, not asserted: they are those of this machine.
    if (process.env.BENCH_OUT) writeFileSync(process.env.BENCH_OUT, JSON.stringify({ first, longest: tasks, heap: usedSize }))
    console.log(`first rows ${first.map(Math.round).join(', ')} ms, longest task while scrolling ${tasks.map(Math.round).join(', ')} ms, heap ${(usedSize / 2 ** 20).toFixed(1)} MiB`)
    expect(usedSize).toBeLessThan(100 * 2 ** 20)
    await page.close()
  })
})
