// Uploads that break off and go on, and the page from which others send files.
import { mkdirSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { basename, join } from 'node:path'
import jsQR from 'jsqr'
import { PNG } from 'pngjs'
import { describe, expect, test } from 'vitest'
import type { Coming, ReceiveLink, Transfer } from '../src/api/types'
import { content, copied, missing, sideways, stage, until, violations, watched, type Stage } from './lab'

describe.skipIf(missing() !== undefined)('uploads', () => {
  let s: Stage
  stage((given) => { s = given })

  const comings = (): Promise<Coming[]> => s.near.api<Coming[]>('GET', '/incoming')

  test('what broke off goes on when the same file is given again, and after the node was killed', async () => {
    const file = content('film.bin', 16_000_000)
    const line = await s.context.newCDPSession(s.page)
    await line.send('Network.enable')
    const up = (uploadThroughput: number): Promise<unknown> => line.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput })
    await up(100_000) // 160 s, were it not stopped: another rate would not hold for a request under way
    await s.open('/share')
    await s.page.locator('.device input[type=file]').first().setInputFiles(file)
    await s.page.getByRole('button', { name: 'Copy and share' }).click()
    await until('a part to arrive', async () => (await comings()).some((c) => c.sent > 100_000))
    // It is seen on all screens.
    await s.page.getByRole('link', { name: 'Transfers' }).first().click()
    await s.page.locator('.upload-bar').waitFor()
    expect(await violations(s.page)).toEqual([])
    await s.page.locator('.upload-bar').click()
    await s.page.getByRole('button', { name: 'Stop', exact: true }).click()
    await until('nobody to send', async () => (await comings()).every((c) => !c.active))
    await up(-1)
    await s.near.stop('SIGKILL')
    await s.near.start()
    await s.open('/share')
    await s.page.getByRole('heading', { name: 'Uploads that broke off' }).waitFor()
    const before = (await comings())[0]!
    expect(before.sent).toBeGreaterThan(0)
    expect(await violations(s.page)).toEqual([])
    await s.page.locator('li').filter({ hasText: 'film.bin' }).locator('input[type=file]').first().setInputFiles(file)
    await s.page.getByRole('button', { name: 'Copy and share' }).click()
    await s.page.getByRole('img', { name: /QR code of the link/ }).waitFor()
    expect(readFileSync(join(s.near.downloads, 'Uploads', basename(file))).equals(readFileSync(file))).toBe(true)
    expect(await comings()).toEqual([])
  }, 120_000)

  test('on a phone the figures of an upload are within the page', async () => {
    const line = await s.context.newCDPSession(s.page)
    await line.send('Network.enable')
    await line.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 100_000 })
    await s.page.setViewportSize({ width: 360, height: 740 })
    await s.open('/share')
    await s.page.locator('.device input[type=file]').first().setInputFiles([content('regatta.bin', 16_000_000), content('beach.jpg', 300_000)])
    await s.page.getByRole('button', { name: 'Copy and share' }).click()
    await s.page.locator('.hero').getByText(/left, 2 files to go/).waitFor()
    expect(await sideways(s.page)).toBe(false)
    await s.page.getByRole('button', { name: 'Stop', exact: true }).click()
    await until('nobody to send', async () => (await comings()).every((c) => !c.active))
    for (const c of await comings()) await s.near.api('DELETE', `/incoming/${c.id}`)
  }, 120_000)

  test('what is sent again because its answer was lost is there once', async () => {
    // browser --- 127.0.0.1 --- [::1], and on the way the first answer to each of these is lost
    const lost = [/^POST \S*\/incoming /, /^POST \S*\/incoming\/\w+\/files /, /^PATCH /, /^POST \S*\/shares /, /^DELETE \S*\/incoming/]
    const way = createServer((near) => {
      const far = connect(s.near.port, '::1')
      let lose = false
      near.on('data', (d) => {
        const i = lost.findIndex((r) => r.test(d.toString('latin1')))
        if (i >= 0) lost.splice(i, 1)
        lose ||= i >= 0
        far.write(d)
      })
      far.on('data', (d) => { if (lose) near.destroy(); else near.write(d) })
      for (const [from, to] of [[near, far], [far, near]] as const) {
        from.on('error', () => to.destroy())
        from.on('close', () => to.destroy())
      }
    })
    await new Promise<void>((done) => way.listen(s.near.port, '127.0.0.1', done))
    try {
      const url = `http://127.0.0.1:${s.near.port}`
      await s.context.addCookies([{ name: `shoal_${s.near.port}`, value: s.near.secret, url }])
      await s.page.goto(url + '/share')
      const files = ['first.txt', 'second.txt'].map((n) => content(n, 200_000))
      await s.page.locator('.device input[type=file]').first().setInputFiles(files)
      await s.page.getByLabel('Name of the share').fill('Two files')
      await s.page.getByRole('button', { name: 'Copy and share' }).click()
      await s.page.getByRole('heading', { name: 'Two files', exact: true }).waitFor()
      await s.page.getByRole('img', { name: /QR code of the link/ }).waitFor()
      expect(lost).toEqual([])
      const all = await s.near.api<Transfer[]>('GET', '/transfers')
      expect(all.map((t) => t.path)).toEqual([join(s.near.downloads, 'Uploads', 'Two files')])
      for (const f of files) expect(readFileSync(join(all[0]!.path, basename(f))).equals(readFileSync(f))).toBe(true)
      expect(await comings()).toEqual([])
    } finally {
      way.close()
    }
  }, 120_000)

  test('others send files with and without script', async () => {
    await s.open('/share')
    await s.page.getByText('New link for receiving files').click()
    await s.page.getByLabel('Name, which people see').fill('Holiday')
    const folder = join(s.near.home, 'From others')
    mkdirSync(folder)
    await s.page.getByLabel('Folder on the node for the files').fill(folder)
    await s.page.getByLabel('Maximum of bytes').fill('much')
    await s.page.getByLabel('Maximum of files').fill('0')
    await s.page.getByRole('button', { name: 'Make a link' }).click()
    await s.page.getByText('The maximum must be a size').waitFor()
    await s.page.getByLabel('Maximum of bytes').fill('20 GB')
    await s.page.getByRole('button', { name: 'Make a link' }).click()
    await s.page.getByText('a whole number from 1 to 10,000').waitFor()
    await s.page.getByLabel('Maximum of files').fill('4')
    await s.page.getByLabel('Ends').selectOption({ label: 'After one week' })
    expect(await violations(s.page)).toEqual([])
    await s.page.getByRole('button', { name: 'Make a link' }).click()
    const link = await until('the link', async () => (await s.near.api<ReceiveLink[]>('GET', '/receive-links'))[0])
    expect([link.folder, link.max_size, link.max_files, link.name]).toEqual([folder, 20e9, 4, 'Holiday'])
    expect(Math.round((Date.parse(link.expires!) - Date.now()) / 60_000)).toBe(7 * 24 * 60)
    const card = s.page.getByRole('article', { name: 'Link for sending files: Holiday' })
    await card.getByRole('button', { name: 'Copy the link' }).click()
    await copied(s.page, link.url)
    await card.locator('.qr svg').waitFor()
    const png = PNG.sync.read(await card.locator('.qr').screenshot())
    expect(jsQR(new Uint8ClampedArray(png.data), png.width, png.height)?.data).toBe(link.url)
    const files = ['one.bin', 'two.bin'].map((n) => content(n, 300_000))
    for (const look of [{ javaScriptEnabled: true, colorScheme: 'light' as const, viewport: { width: 1280, height: 800 } }, { javaScriptEnabled: false, colorScheme: 'dark' as const, viewport: { width: 360, height: 740 } }]) {
      const c = await s.browser.newContext(look)
      const p = await c.newPage()
      const complaints = watched(p)
      await p.goto(link.url + '/')
      await p.getByLabel('Files to send').setInputFiles(files)
      await p.getByRole('button', { name: 'Send', exact: true }).click()
      await p.getByText(look.javaScriptEnabled ? '2 files have arrived.' : 'Arrived', { exact: true }).waitFor()
      if (look.javaScriptEnabled) expect(await violations(p)).toEqual([])
      expect(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true)
      if (process.env.SHOTS) await p.screenshot({ path: join(process.env.SHOTS, `send-${look.colorScheme}.png`) })
      expect(complaints).toEqual([])
      await c.close()
    }
    const names = (await comings())[0]!.latest.map((f) => basename(f.stored!)).sort()
    expect(names).toEqual(['one (2).bin', 'one.bin', 'two (2).bin', 'two.bin'])
    for (const f of files) expect(readFileSync(join(link.folder, basename(f))).equals(readFileSync(f))).toBe(true)
    await s.page.getByText('4 files have arrived').waitFor()
    if (process.env.SHOTS) await s.page.screenshot({ path: join(process.env.SHOTS, 'share.png'), fullPage: true })
    expect(await violations(s.page)).toEqual([])
    await s.page.getByRole('button', { name: 'End the link Holiday' }).click()
    await until('the link to end', async () => (await s.near.api<ReceiveLink[]>('GET', '/receive-links')).length === 0)
  }, 120_000)
})
