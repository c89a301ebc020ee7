// How the page does with as many transfers as a real node has: run by `make
// bench`, which starts the node and gives its sign-in link in BENCH_URL. What
// was measured is one JSON object in the file BENCH_OUT.
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { longest, shownAt, watchRows, whole } from './lab'

const link = process.env.BENCH_URL
const many = Number(process.env.BENCH_MANY ?? 10_000)
const runs = Number(process.env.BENCH_RUNS ?? 5)
const idle = 60

describe.skipIf(!link)('the page of a real node', { timeout: 300_000 }, () => {
  let browser: Browser
  beforeAll(async () => { browser = await whole() })
  afterAll(async () => { await browser.close() })

  test('is measured', async () => {
    const url = new URL(link!)
    const context = await browser.newContext({ viewport: { width: 1280, height: 820 } })
    const page = await context.newPage()
    const row = page.locator('.grid-body [role=row]').first()
    await watchRows(page)
    await page.goto(link!)
    await row.waitFor()
    const first: number[] = []
    for (let i = 0; i < runs; i++) {
      await page.goto(url.origin + '/')
      first.push(await shownAt(page))
    }
    const rows = await page.locator('.grid').getAttribute('aria-rowcount')
    expect(rows).toBe(`${many + 1}`)
    const tasks: number[] = []
    for (let i = 0; i < runs; i++) tasks.push(await longest(page))

    const cdp = await browser.newBrowserCDPSession()
    const inPage = await context.newCDPSession(page)
    await inPage.send('HeapProfiler.collectGarbage')
    const { usedSize } = await inPage.send('Runtime.getHeapUsage')
    const { processInfo } = await cdp.send('SystemInfo.getProcessInfo')
    // The page's own process is the largest; others are kept ready by the browser.
    const memory = Math.max(...processInfo.filter((p) => p.type === 'renderer').map((p) => anonymous(p.id)))

    const cookie = (await context.cookies()).map((c) => `${c.name}=${c.value}`).join('; ')
    const traffic = await quiet(url, cookie)

    // Half of them are selected, and paused by one request.
    const half = many / 2
    await page.locator('.grid').evaluate((g) => g.scrollTo(0, 0))
    await page.locator('[aria-rowindex="2"] input').click()
    await page.locator('.grid').evaluate((g, to) => g.scrollTo(0, to), (half - 3) * 60)
    await page.locator(`[aria-rowindex="${half + 1}"] input`).click({ modifiers: ['Shift'] })
    const answered = page.waitForResponse((r) => r.url().endsWith('/transfers/bulk'))
    const begin = performance.now()
    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    const { failed } = await (await answered).json() as { failed: unknown[] }
    expect(failed).toEqual([])
    await page.locator('.chip.paused', { hasText: half.toLocaleString('en') }).waitFor()
    const paused = performance.now() - begin
    await context.close()
    writeFileSync(process.env.BENCH_OUT!, JSON.stringify({ first, longest: tasks, heap: usedSize, memory, traffic: (traffic * 60) / idle, paused }))
  })

  /** anonymous is the memory of a process that no file backs, in bytes. */
  function anonymous(pid: number): number {
    const kib = /RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return Number(kib![1]) * 1024
  }

  /** quiet counts the bytes of the event stream after its first event. */
  function quiet(url: URL, cookie: string): Promise<number> {
    return new Promise((done, failed) => {
      let bytes = 0, begun = false
      const r = request({ host: '::1', port: url.port, path: '/api/v1/events', headers: { Host: url.host, Cookie: cookie } }, (res) => {
        res.on('data', (d: Buffer) => {
          if (begun) bytes += d.length
          else if (d.subarray(-2).toString() === '\n\n') {
            begun = true
            setTimeout(() => { r.destroy(); done(bytes) }, idle * 1000)
          }
        })
      })
      r.on('error', (e) => { if (!begun) failed(e) })
      r.end()
    })
  }
})
