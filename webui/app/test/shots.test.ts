// Takes the pictures of docs/images: `npm run shots`, as root on Linux. Three
// real nodes on hosts of their own, with the same content each time:
//
//	far --+-- router --+-- near, with the browser
//	friend-'
//
// Nothing is between them that would keep strangers out, so that near is proven
// to be reachable by friend, who fetches from it. The font is Inter where it is
// installed (apt-get install fonts-inter).
import { spawnSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Transfer } from '../src/api/types'
import { clean, launch, Node, until, visit } from './lab'

const images = resolve(import.meta.dirname, '../../../docs/images')
// All variants as PNG, for whoever works on the page.
const scratch = process.env.SHOTS
// The names of the screens to take, to leave the others as they are.
const only = process.env.ONLY ? new RegExp(`^(${process.env.ONLY})$`) : undefined
const id = process.pid
const hosts = { near: '2001:db8:1::5', far: '2001:db8:2::7', friend: '2001:db8:3::9' } as const
type Host = keyof typeof hosts
const space = (h: Host | 'router'): string => `shots-${id}-${h}`
const port = 51413

function ip(...args: string[]): void {
  const r = spawnSync('ip', args, { encoding: 'utf8' })
  if (r.status !== 0) throw new Error(`ip ${args.join(' ')}: ${r.stderr}`)
}

function network(): void {
  ip('netns', 'add', space('router'))
  spawnSync('ip', ['netns', 'exec', space('router'), 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1'])
  for (const [i, h] of (Object.keys(hosts) as Host[]).entries()) {
    const gateway = hosts[h].replace(/::.*/, '::1')
    ip('netns', 'add', space(h))
    ip('link', 'add', 'eth0', 'netns', space(h), 'type', 'veth', 'peer', 'name', `to${i}`, 'netns', space('router'))
    ip('-n', space(h), 'link', 'set', 'lo', 'up')
    ip('-n', space(h), 'link', 'set', 'eth0', 'up')
    ip('-n', space('router'), 'link', 'set', `to${i}`, 'up')
    ip('-n', space(h), 'addr', 'add', `${hosts[h]}/64`, 'dev', 'eth0', 'nodad')
    ip('-n', space('router'), 'addr', 'add', `${gateway}/64`, 'dev', `to${i}`, 'nodad')
    ip('-n', space(h), 'route', 'add', 'default', 'via', gateway)
  }
}

/** sparse makes a file of zeros that takes no room. */
function sparse(name: string, size: number): void {
  mkdirSync(resolve(name, '..'), { recursive: true })
  const f = openSync(name, 'w')
  ftruncateSync(f, Math.round(size))
  closeSync(f)
}

const MB = 1_000_000
const desktop: BrowserContextOptions = { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.5 }
const phone: BrowserContextOptions = { viewport: { width: 390, height: 800 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }

describe('pictures', { timeout: 400_000 }, () => {
  let browser: Browser
  const nodes = {} as Record<Host, Node>

  const content = (who: Host, name: string, files: Record<string, number>): string => {
    for (const [f, size] of Object.entries(files)) sparse(join(nodes[who].home, name, f), size)
    return join('/home/ada', name)
  }
  const share = async (who: Host, path: string): Promise<Transfer> => {
    await nodes[who].api('POST', '/shares', { path })
    return until(`${path} to be shared`, async () => (await nodes[who].api<Transfer[]>('GET', '/transfers')).find((t) => t.path === path && t.state === 'seeding'), 120)
  }
  const fetch = (who: Host, link: string, more: object = {}): Promise<Transfer> => nodes[who].api<Transfer>('POST', '/transfers', { link, ...more })
  const reached = (who: Host, id: string, part: number): Promise<Transfer> => until(`${part} of ${id}`, async () => {
    const t = await nodes[who].api<Transfer>('GET', `/transfers/${id}`)
    return t.total > 0 && t.bytes >= t.total * part && t
  }, 120)

  beforeAll(async () => {
    network()
    const seed = `[${hosts.far}]:${port}`
    for (const h of Object.keys(hosts) as Host[]) {
      nodes[h] = await new Node(h, ['--listen', `[::]:${port}`, '--bootstrap', h === 'far' ? 'none' : seed], space(h)).start()
    }
    browser = await launch(space('near'))
  }, 180_000)
  afterAll(async () => {
    await browser?.close()
    await Promise.all(Object.values(nodes).map((n) => n.stop()))
    for (const h of [...Object.keys(hosts), 'router'] as Host[]) spawnSync('ip', ['netns', 'del', space(h)])
    clean()
  })

  test('are taken', async () => {
    const tracks = Object.fromEntries(['Evening song', 'The long road', 'Rain', 'Over the hills', 'Lullaby', 'Winter round', 'A toast', 'Home'].map((n, i) => [`${String(i + 1).padStart(2, '0')} ${n}.flac`, (2.1 + i * 0.4) * MB]))
    const maps = Object.fromEntries(Array.from({ length: 18 }, (_, i) => [`sheet-${String(i + 1).padStart(2, '0')}.tif`, 1.6 * MB]))
    const stills = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`stills/${String(i + 1).padStart(3, '0')}.jpg`, 2.4 * MB]))
    const plays = Object.fromEntries(Array.from({ length: 4 }, (_, i) => [`Part ${i + 1}/scene ${i + 1}.opus`, 18 * MB]))
    const film = await share('far', content('far', 'Harbour at dawn', { 'harbour-at-dawn.mp4': 386 * MB, 'harbour-at-dawn.en.srt': 41_000, 'readme.txt': 2100, ...stills }))
    const choir = await share('far', content('far', 'Choir recordings', tracks))
    const survey = await share('far', content('far', 'Field survey maps', maps))
    const book = await share('far', content('far', 'open-handbook-4th-edition.pdf', { '': 9 * MB }))
    const radio = await share('far', content('far', 'Radio plays', { 'about.txt': 1500, ...plays }))
    const holiday = await share('near', content('near', 'Holiday pictures', Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`IMG_${4100 + i}.jpg`, 6.3 * MB]))))
    await share('near', content('near', 'Thesis and data', { 'thesis.pdf': 9 * MB, 'data/measurements.csv': 74 * MB, 'data/notes.txt': 8000 }))
    for (const d of ['Documents', 'Music', 'Videos', 'Pictures']) mkdirSync(join(nodes.near.home, d), { recursive: true })

    // A channel that near follows, and one of its own.
    interface Channel { key: string, link: string, entries: number }
    const archive = await nodes.far.api<Channel>('POST', '/channels', { name: 'Harbour archive', about: 'Films, sound and maps of the old harbour' })
    for (const [t, about, tags] of [[film, 'The boats leave before the sun is up', ['film', 'harbour']], [choir, 'Recorded in the chapel, eight songs', ['music']], [survey, 'Soundings of the bay, 18 sheets', ['maps', 'harbour']], [radio, 'Four plays for the wireless', ['radio']], [book, 'How the archive is kept', ['text']]] as const) {
      await nodes.far.api('POST', `/channels/${archive.key}/entries`, { ids: [t.id], about, tags })
    }
    await nodes.far.api('POST', `/channels/${archive.key}/publish`, {})
    const mine = await nodes.near.api<Channel>('POST', '/channels', { name: 'Ada’s pictures' })
    await nodes.near.api('POST', `/channels/${mine.key}/entries`, { ids: [holiday.id], tags: ['summer'] })
    await nodes.near.api('POST', `/channels/${mine.key}/publish`, {})
    await nodes.near.api('POST', '/channels', { link: archive.link })
    await until('the channel to be here', async () => (await nodes.near.api<Channel>('GET', `/channels/${archive.key}`)).entries === 5, 120)

    // The rates rise and fall, as those of lines do.
    const limit = (down: number, up: number): Promise<unknown> => nodes.near.api('PUT', '/limits', { down: Math.round(down * MB), up: Math.round(up * MB) })
    const pace = async (...steps: (readonly [number, number])[]): Promise<void> => {
      for (const [down, up] of steps) {
        await limit(down, up)
        await new Promise((r) => setTimeout(r, 3000))
      }
    }
    await limit(7, 1)
    const done = await fetch('near', choir.link)
    await fetch('near', book.link)
    await reached('near', done.id, 1)
    const held = await fetch('near', survey.link)
    await reached('near', held.id, 0.4)
    await nodes.near.api('POST', `/transfers/${held.id}/pause`)
    await fetch('near', `magnet:?xt=urn:btih:${'3f'.repeat(20)}&dn=${encodeURIComponent('Letters from the archive')}`)
    const running = await fetch('near', film.link)
    await pace([5.1, 0.9], [6.2, 0.9])
    await fetch('friend', holiday.link)
    await pace([6.8, 1.2], [5.9, 1.9], [4.6, 2.4], [5.3, 2.3], [6.9, 1.8], [7.2, 2.5], [6.6, 2.4], [5.8, 2.6], [6.2, 2.5], [6.4, 2.4], [6.1, 1.9], [3.2, 2.2])
    await limit(2.6, 2.3) // slow enough to be still under way in the last picture
    await until('a proof', async () => (await nodes.near.api<{ verdict: string }>('GET', '/network')).verdict === 'reachable', 60)

    const web = await nodes.near.api<{ url: string }>('POST', `/transfers/${holiday.id}/web-links`, { expires: new Date(Date.now() + 7 * 86400_000).toISOString() })

    const screens: [string, string, ((p: Page) => Promise<void>)?][] = [
      ['transfers', '/'],
      ['add', '/', async (p) => {
        await p.keyboard.press('a')
        await p.locator('dialog input[type=file]').first().setInputFiles({ name: 'radio.torrent', mimeType: 'application/x-bittorrent', buffer: await nodes.far.torrent(radio.id) })
        await p.getByText('about.txt').waitFor()
      }],
      ['overview', `/t/${running.id}`, async (p) => { await p.locator('.chart canvas').waitFor(); await p.locator('.qr svg').waitFor() }],
      ['files', `/t/${running.id}/files`],
      ['pieces', `/t/${running.id}/pieces`],
      ['peers', `/t/${running.id}/peers`],
      ['discovery', `/t/${running.id}/discovery`],
      ['log', `/t/${running.id}/log`],
      ['share', '/share', async (p) => { await p.getByText('Pictures').first().waitFor() }],
      ['shared', `/share/${holiday.id}`, async (p) => { await p.locator('.qr svg').waitFor() }],
      ['find', '/find?q=harbour', async (p) => { await p.locator('.hits li').first().waitFor() }],
      ['channels', '/find', async (p) => { await p.getByText('Harbour archive').waitFor() }],
      ['channel', `/find/${archive.key}`, async (p) => { await p.locator('.hits li').first().waitFor() }],
      ['network', '/network', async (p) => { await p.locator('.chart canvas').waitFor() }],
      ['settings', '/settings'],
      ['weblink', `/share/${holiday.id}`, async (p) => { await p.getByRole('article', { name: 'Web link' }).getByRole('img').waitFor(); await p.locator('.weblinks').evaluate((e) => e.scrollIntoView()) }],
      ['door', web.url], // as somebody sees it who has the link
      ['keys', '/', async (p) => { await p.keyboard.press('?') }],
    ]
    // What the README and the guide show; everything else is for looking at.
    const wanted = new Set(['transfers-light', 'transfers-dark', 'transfers-phone', 'overview-light', 'overview-dark', 'overview-phone', 'files-light', 'pieces-light', 'peers-light', 'discovery-light', 'log-light', 'add-light', 'share-light', 'shared-light', 'shared-phone', 'find-light', 'channels-light', 'channel-light', 'network-light', 'network-dark', 'weblink-light', 'door-light', 'settings-light'])
    for (const [look, options] of [['light', { ...desktop, colorScheme: 'light' }], ['dark', { ...desktop, colorScheme: 'dark' }], ['phone', { ...phone, colorScheme: 'light' }]] as [string, BrowserContextOptions][]) {
      const c = await visit(browser, nodes.near, options)
      const p = await c.newPage()
      for (const [name, path, then] of screens) {
        if (only && !only.test(name) || !scratch && !wanted.has(`${name}-${look}`)) continue
        await p.goto(path.startsWith('http') ? path : nodes.near.url + path)
        await p.locator('main h1').first().waitFor()
        await until('the content', async () => (await p.locator('.working').count()) === 0)
        await then?.(p)
        await p.waitForTimeout(400) // the chart is drawn, the bars have moved
        if (scratch) await p.screenshot({ path: join(scratch, `${name}-${look}.png`), scale: 'css' })
        if (wanted.has(`${name}-${look}`)) {
          const cdp = await c.newCDPSession(p)
          const { data } = await cdp.send('Page.captureScreenshot', { format: 'webp', quality: 80 })
          writeFileSync(join(images, `page-${name}-${look}.webp`), Buffer.from(data, 'base64'))
          await cdp.detach()
        }
      }
      await c.close()
    }
  })
})
