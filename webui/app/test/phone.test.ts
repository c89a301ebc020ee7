// The page on a phone, over HTTPS with a certificate of an authority that the browser knows,
// and over plain HTTP, where browsers allow less:
//
//	browser --- box.test: near
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { clean, content, folder, harmless, missing, Node, publish, until, violations, watched } from './lab'

const lacks = missing() ?? lacksTools()

function lacksTools(): string | undefined {
  const tool = ['certutil', 'openssl'].find((t) => spawnSync('which', [t]).status !== 0)
  const why = tool && `no ${tool}: apt-get install libnss3-tools openssl`
  if (why && process.env.CI === 'true') throw new Error(why)
  if (why) console.warn(`SKIPPED: ${why}`)
  return why
}

const run = (command: string, ...args: string[]): void => {
  const r = spawnSync(command, args, { encoding: 'utf8' })
  if (r.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${r.stderr}`)
}

const host = 'box.test'

/** trusted makes a certificate for host, and a home whose browser trusts who signed it. */
function trusted(): { cert: string; key: string; home: string } {
  const dir = folder('authority')
  const at = (name: string): string => join(dir, name)
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  run('openssl', 'req', '-x509', ...ec, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '30', '-subj', '/CN=shoal test authority', '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign')
  run('openssl', 'req', ...ec, '-keyout', at('key.pem'), '-out', at('req.pem'), '-subj', `/CN=${host}`)
  writeFileSync(at('ext'), `subjectAltName=DNS:${host}\nextendedKeyUsage=serverAuth\n`)
  run('openssl', 'x509', '-req', '-in', at('req.pem'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '30', '-extfile', at('ext'), '-out', at('cert.pem'))
  const home = folder('authority', 'home')
  const db = folder('authority', 'home', '.pki', 'nssdb')
  run('certutil', '-N', '--empty-password', '-d', `sql:${db}`)
  run('certutil', '-A', '-d', `sql:${db}`, '-t', 'C,,', '-n', 'shoal test authority', '-i', at('ca.pem'))
  return { cert: at('cert.pem'), key: at('key.pem'), home }
}

describe.skipIf(lacks)('on a phone', { timeout: 120_000 }, () => {
  let browser: Browser
  let https: Node
  let http: Node
  let context: BrowserContext
  let page: Page
  let complaints: string[] = []
  const at = (n: Node, path = '/'): string => `${n === https ? 'https' : 'http'}://${host}:${n.port}${path}`

  beforeAll(async () => {
    const { cert, key, home } = trusted()
    const own = ['--bootstrap', 'none', '--listen', '[::1]:0', '--no-lan', '--web-hosts', host]
    https = new Node('https', [...own, '--web-cert', cert, '--web-key', key])
    http = new Node('http', own)
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', env: { ...process.env, HOME: home },
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', `--host-resolver-rules=MAP ${host} [::1]`],
    })
    await Promise.all([https.start(), http.start()])
  }, 180_000)
  afterAll(async () => {
    await browser?.close()
    await Promise.all([https?.stop(), http?.stop()])
    clean()
  }, 60_000)
  beforeEach(async () => {
    context = await browser.newContext({ viewport: { width: 360, height: 780 }, isMobile: true, hasTouch: true, reducedMotion: 'reduce' })
    await context.addCookies([https, http].map((n) => ({ name: `shoal_${n.port}`, value: n.secret, url: at(n) })))
    page = await context.newPage()
    complaints = watched(page)
  }, 60_000)
  afterEach(async () => {
    await context.close()
    expect(complaints).toEqual([])
  }, 60_000)

  /** looked checks a screen in both colours, and takes pictures of it if asked to. */
  const looked = async (name: string): Promise<void> => {
    for (const colours of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: colours })
      await harmless(page, name)
      // Nothing sticks out of its card.
      expect(await page.evaluate(() => [...document.querySelectorAll('.card, .dialog, .tree-box')].filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.className)), name).toEqual([])
      expect(await violations(page), `${name}, ${colours}`).toEqual([])
      if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `phone-${name}-${colours}.png`) })
    }
    await page.emulateMedia({ colorScheme: 'light' })
  }
  /** kept are the addresses in all caches of the page. */
  const kept = (): Promise<Record<string, string[]>> => page.evaluate(async () => Object.fromEntries(await Promise.all((await caches.keys()).map(async (name) =>
    [name, (await (await caches.open(name)).keys()).map((r) => new URL(r.url).pathname).sort()] as const))))
  const working = (): Promise<boolean> => page.evaluate(async () => !!(await navigator.serviceWorker.ready).active && !!navigator.serviceWorker.controller)

  test('sharing begins with this device, and the link goes to the share sheet', async () => {
    const t = await publish(https, content('letter.txt', 50_000))
    await page.addInitScript(() => {
      Object.assign(navigator, { share: (data: ShareData) => { Object.assign(window, { shared: data }); return Promise.resolve() } })
    })
    await page.goto(at(https, '/share'))
    const headings = page.locator('#main h2')
    await headings.first().waitFor()
    expect((await headings.allTextContents()).slice(0, 2)).toEqual(['Files on this device', 'Which file or folder?'])
    await looked('share')
    await page.goto(at(https, `/share/${t.id}`))
    const send = page.getByRole('button', { name: 'Send the link …' })
    await send.tap()
    const shared = await until('the share sheet', () => page.evaluate(() => (window as unknown as { shared?: ShareData }).shared))
    expect(shared).toEqual({ title: 'letter.txt', text: t.link })
    // The buttons come before the code, and all of it is above the navigation.
    await page.locator('.qr svg').waitFor()
    const y = async (l: ReturnType<Page['locator']>): Promise<number> => (await l.boundingBox())!.y
    expect(await y(send)).toBeLessThan(await y(page.locator('.qr')))
    expect(await y(page.getByRole('button', { name: 'Copy link' }))).toBeLessThan(await y(page.locator('.qr')))
    expect(await y(page.locator('.qr'))).toBeLessThan(await y(page.getByRole('button', { name: 'Copy command' })))
    await looked('handout')
    // A refusal is told, and closing the sheet is none.
    await page.evaluate(() => Object.assign(navigator, { share: () => Promise.reject(new DOMException('closed', 'AbortError')) }))
    await send.tap()
    await page.evaluate(() => Object.assign(navigator, { share: () => Promise.reject(new Error('no program')) }))
    await send.tap()
    await page.getByText('Could not send the link: no program').waitFor()
    expect(await page.getByText('closed').count()).toBe(0)
  })

  test('the worker keeps the shell of this build only, and the page opens without its node', async () => {
    const t = await publish(https, content('kept.txt', 20_000))
    await page.goto(at(https))
    await until('the worker', working)
    await page.goto(at(https, `/t/${t.id}/files`))
    await page.getByText('kept.txt').first().waitFor()
    await page.evaluate(async (id) => { await (await fetch(`/api/v1/transfers/${id}/files/0/content`)).arrayBuffer() }, t.id)
    const dist = resolve(import.meta.dirname, '../../dist')
    const worker = readFileSync(join(dist, 'sw.js'), 'utf8')
    const build = /shoal-[0-9a-f]{16}/.exec(worker)![0]
    const all = await kept()
    expect(Object.keys(all)).toEqual([build])
    expect(all[build]!.length).toBeGreaterThan(5)
    for (const path of all[build]!) expect(path === '/' || existsSync(join(dist, path.slice(1))), path).toBe(true)
    // An older build's cache goes with it.
    await page.evaluate(async () => { await caches.open('shoal-0000000000000000') })
    await page.evaluate(async () => { await (await navigator.serviceWorker.getRegistration())!.unregister() })
    await page.goto('about:blank') // while a page is open its worker stays
    await page.goto(at(https, `/t/${t.id}/files`))
    await until('the old cache to be gone', async () => Object.keys(await kept()).join() === build)
    await until('the worker', working)

    await https.stop()
    await page.reload()
    await page.getByText('The node does not answer').first().waitFor()
    await page.getByRole('navigation', { name: 'Screens' }).waitFor()
    complaints.length = 0 // the browser tells that nobody answers
    await https.start()
    await page.getByRole('button', { name: 'Try now' }).click({ timeout: 5000 }).catch(() => undefined) // it may be back already
    await page.getByText('kept.txt').first().waitFor()
  })

  test('the policy allows the address of one script', async () => {
    await page.goto(at(https))
    await page.getByRole('navigation', { name: 'Screens' }).waitFor()
    const refused = await page.evaluate(async () => {
      const out: string[] = []
      const attempt = async (what: string, f: () => unknown): Promise<void> => { try { await f(); out.push(`${what} is allowed`) } catch { /* as it should be */ } }
      const types = (globalThis as unknown as { trustedTypes: { createPolicy(name: string, rules: object): unknown } }).trustedTypes
      await attempt('a worker by a text', () => navigator.serviceWorker.register('/app.js'))
      await attempt('another policy', () => types.createPolicy('other', {}))
      await attempt('the policy once more', () => types.createPolicy('shoal-worker', {}))
      await attempt('HTML', () => { document.body.innerHTML = '<b>x</b>' })
      return out
    })
    expect(refused).toEqual([])
    complaints.length = 0 // the browser tells of each
    const manifest = await page.evaluate(async () => {
      const r = await fetch('/manifest.webmanifest')
      return { type: r.headers.get('content-type'), m: await r.json() as { icons: { src: string; sizes: string }[]; protocol_handlers: { protocol: string; url: string }[] } }
    })
    expect(manifest.type).toBe('application/manifest+json')
    expect(manifest.m.protocol_handlers).toEqual([{ protocol: 'magnet', url: '/#add=%s' }])
    for (const icon of manifest.m.icons) expect(await page.evaluate(async (src) => (await fetch(src)).headers.get('content-type'), icon.src)).toMatch(/^image\//)
    // What the browser itself finds wrong with it.
    const cdp = await context.newCDPSession(page)
    const { errors } = await cdp.send('Page.getAppManifest')
    expect(errors).toEqual([])
    const { installabilityErrors } = await cdp.send('Page.getInstallabilityErrors')
    expect(installabilityErrors.filter((e: { errorId: string }) => e.errorId !== 'in-incognito')).toEqual([])
  })

  test('magnet links are opened with the page, and no other', async () => {
    const t = await publish(http, content('by magnet.txt', 30_000))
    await page.addInitScript(() => {
      navigator.registerProtocolHandler = (scheme, url) => { Object.assign(window, { handles: [scheme, `${url}`] }) }
    })
    await page.goto(at(https, '/settings'))
    await page.getByRole('button', { name: 'Open magnet links with this page' }).tap()
    const [scheme, pattern] = await page.evaluate(() => (window as unknown as { handles: [string, string] }).handles)
    expect([scheme, pattern]).toEqual(['magnet', at(https, '/#add=%s')])
    await page.getByRole('heading', { name: 'On this device' }).scrollIntoViewIfNeeded()
    await looked('settings')
    const secret = 'a1'.repeat(32)
    const asked: string[] = []
    page.on('request', (r) => { asked.push(r.url()) })
    await page.goto('about:blank')
    await page.goto(pattern!.replace('%s', encodeURIComponent(t.link)))
    const dialog = page.getByRole('dialog')
    const closed = async (): Promise<void> => {
      await page.keyboard.press('Escape')
      await dialog.waitFor({ state: 'detached' })
    }
    await dialog.getByText('by magnet.txt').waitFor()
    await looked('magnet')
    await closed()
    await page.evaluate((link) => { location.hash = `add=${encodeURIComponent(link)}` }, `magnet:?xt=urn:btih:${createHash('sha1').update('x').digest('hex')}&x.k=${secret}`)
    await dialog.waitFor()
    expect(page.url()).not.toContain('add=')
    expect(asked.some((u) => new URL(u).search.includes(secret) || new URL(u).pathname.includes(secret))).toBe(false)
    await closed()
    // The node would fetch a web address: another site could have named it.
    await page.evaluate(() => { location.hash = `add=${encodeURIComponent('http://[::1]:1/x.torrent')}` })
    await until('the address to be taken away', () => !page.url().includes('add='))
    expect(await dialog.count()).toBe(0)
  })

  test('over plain HTTP it says why some of it is missing', async () => {
    const t = await publish(http, content('plain.txt', 10_000))
    await page.goto(at(http, '/settings'))
    await page.getByText('Give the node a certificate').waitFor()
    expect(await page.getByRole('button', { name: 'Open magnet links with this page' }).count()).toBe(0)
    expect(await page.evaluate(() => isSecureContext)).toBe(false)
    // Of what the page says over HTTP, browsers only ever complain about this header.
    const header = (c: string): boolean => c.startsWith('The Cross-Origin-Opener-Policy header has been ignored')
    await page.goto(at(http, `/share/${t.id}`))
    await page.getByRole('button', { name: 'Copy link' }).waitFor()
    expect(await page.getByRole('button', { name: 'Send the link …' }).count()).toBe(0)
    complaints.splice(0, complaints.length, ...complaints.filter((c) => !header(c)))
  })

  test('files to download are found and chosen with a finger', async () => {
    const dir = folder('content', 'Season')
    for (let i = 1; i <= 24; i++) writeFileSync(join(folder('content', 'Season', i <= 12 ? 'one' : 'two'), `episode ${i}.mkv`), Buffer.alloc(1000 * i, i))
    const t = await publish(http, dir)
    await page.goto(at(https, '/'))
    await page.getByRole('button', { name: 'Add', exact: true }).tap()
    const dialog = page.getByRole('dialog')
    const asked = page.waitForEvent('filechooser')
    await page.getByText('Choose a .torrent file').tap()
    await (await asked).setFiles({ name: 'season.torrent', mimeType: 'application/x-bittorrent', buffer: await http.torrent(t.id) })
    await dialog.getByText('24 files of 24 selected, 300 kB').waitFor()
    await dialog.getByRole('button', { name: 'None', exact: true }).tap()
    await dialog.getByText('0 files of 24 selected, 0 B').waitFor()
    await dialog.getByLabel('Search files').fill('TWO episode 2')
    await dialog.getByText('5 files found').waitFor()
    await dialog.getByRole('button', { name: 'All found' }).tap()
    await looked('choose')
    await dialog.getByLabel('Search files').fill('')
    await dialog.getByText('5 files of 24 selected, 110 kB').waitFor()
    const other = folder('elsewhere')
    await dialog.getByLabel('Folder on the node').fill(other)
    await dialog.getByRole('button', { name: 'Download 5 files' }).tap()
    await page.getByRole('heading', { name: 'Season' }).waitFor()
    // The folder is offered again.
    const second = await publish(http, content('second.txt', 10_000))
    await page.goto(at(https, '/'))
    await page.getByRole('button', { name: 'Add', exact: true }).tap()
    await page.getByLabel('Link').fill(second.link)
    await page.getByRole('button', { name: 'Preview' }).tap()
    await dialog.getByRole('group', { name: 'Last folders' }).getByRole('button', { name: other }).tap()
    expect(await dialog.getByLabel('Folder on the node').inputValue()).toBe(other)
  })
})
