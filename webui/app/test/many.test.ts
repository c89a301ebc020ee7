// How the page does with ten thousand transfers. They come from a scripted
// server: what is measured is the page, and no node has that many here.
import { createServer, type Server, type ServerResponse } from 'node:http'
import { readFileSync, writeFileSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launch, missing, scroll } from './lab'

const many = 10_000
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
  beforeAll(async () => {
    const all = JSON.stringify({ transfers: Object.fromEntries(Array.from({ length: many }, (_, i) => [id(i), row(i)])), stats: { down: 1, up: 2, free: 1e12, states: {}, limits: {} } })
    server = createServer((req, res) => {
      const path = new URL(req.url!, 'http://x').pathname
      if (path === '/api/v1/events') {
        res.writeHead(200, { 'Content-Type': 'text/event-stream' })
        res.write(`event: reset\nid: boot-1\ndata: ${all}\n\n`)
        streams.add(res)
        req.on('close', () => streams.delete(res))
      } else if (path.startsWith('/api/')) res.writeHead(404, { 'Content-Type': 'application/json' }).end('{}')
      else {
        const name = extname(path) ? path : '/index.html'
        res.writeHead(200, { 'Content-Type': types[extname(name)] ?? 'text/plain', 'Content-Encoding': 'gzip' }).end(gzipSync(readFileSync(dist + name)))
      }
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    base = `http://127.0.0.1:${(server.address() as { port: number }).port}`
    browser = await launch()
  }, 60_000)
  afterAll(async () => {
    await browser?.close()
    server?.closeAllConnections()
    server?.close()
  })

  test('few rows are drawn, all can be reached, and what it takes is told', async () => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 820 } })
    await page.goto(base + '/')
    await page.locator('.grid-body [role=row]').first().waitFor()
    const first = await page.evaluate(() => performance.now())
    await page.getByText('number 9999').waitFor()
    let n = 1
    const tick = setInterval(() => {
      n++
      const changes = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [id((i * 37 + n) % many), { down: n * 1000 + i, bytes: 5e8 + n }]))
      for (const s of streams) s.write(`event: patch\nid: boot-${n}\ndata: ${JSON.stringify({ transfers: changes, stats: { down: n } })}\n\n`)
    }, 1000)
    const longest = await scroll(page)
    clearInterval(tick)
    await page.getByRole('button', { name: 'Name', exact: true }).click()
    await page.locator('.grid').evaluate((g) => g.scrollTo(0, g.scrollHeight))
    await page.getByText('number 9999').waitFor()
    expect(await page.locator('.grid-body [role=row]').count()).toBeLessThan(60)
    expect(await page.locator('*').count()).toBeLessThan(2000)
    const cdp = await page.context().newCDPSession(page)
    await cdp.send('HeapProfiler.collectGarbage')
    const { usedSize } = await cdp.send('Runtime.getHeapUsage')
    // Times are told, not asserted: they are those of this machine.
    if (process.env.BENCH_OUT) writeFileSync(process.env.BENCH_OUT, JSON.stringify({ first: [first], longest: [longest], heap: usedSize }))
    console.log(`first rows ${Math.round(first)} ms, longest task while scrolling ${Math.round(longest)} ms, heap ${(usedSize / 2 ** 20).toFixed(1)} MiB`)
    expect(usedSize).toBeLessThan(100 * 2 ** 20)
    await page.close()
  })
})
