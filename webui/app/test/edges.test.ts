// What goes wrong, and what is empty or too much, in a real browser.
//
//	browser --- near --- far
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { content, folder, harmless, launch, missing, publish, seeded, stage, type Stage, twice, until, violations, visit } from './lab'

const lacks = missing()

describe.skipIf(lacks)('at the edges', { timeout: 120_000 }, () => {
  let { browser, near, far, context, page, open } = {} as Stage
  stage((s) => { ({ browser, near, far, context, page, open } = s) })


  test('what cannot be shared says why, and has no link', async () => {
    await open('/share')
    for (const [path, why] of [['not/absolute', 'must be absolute'], [join(near.home, 'is not there'), 'no such file']] as const) {
      await page.getByLabel('Path on the machine').fill(path)
      await page.getByRole('button', { name: 'Share', exact: true }).click()
      await page.getByRole('alert').getByText(why).waitFor()
    }
    await page.getByLabel('Path on the machine').fill(content('nothing.txt', 0))
    await page.getByRole('button', { name: 'Share', exact: true }).click()
    // It is not kept as a transfer, and the screen still says why.
    await page.locator('main').getByText('it contains no data').waitFor()
    expect(await page.locator('.qr, .copyable').count()).toBe(0)
    expect(await violations(page)).toEqual([])
    expect(await near.api('GET', '/transfers')).toEqual([])
  })

  test('empty files and folders come with the rest, and are complete', async () => {
    const dir = folder('content', 'Partly empty')
    mkdirSync(join(dir, 'nothing in it'))
    writeFileSync(join(dir, 'empty.txt'), '')
    writeFileSync(join(dir, 'full.txt'), 'content')
    const t = await publish(far, dir)
    await near.api('POST', '/transfers', { link: t.link })
    await open(`/t/${t.id}/files`)
    await page.locator('.progress-line').getByText('Seeding').waitFor()
    await page.locator('.tree li', { hasText: 'empty.txt' }).getByText('100 %').waitFor()
    await page.locator('.tree li', { hasText: 'full.txt' }).getByText('100 %').waitFor()
  })

  test('of ten thousand files few are drawn, and all can be reached', async () => {
    const dir = folder('content', 'Ten thousand')
    for (let i = 0; i < 10_000; i++) writeFileSync(join(dir, `file ${i}.txt`), `${i}`)
    const t = await publish(far, dir)
    await open('/')
    await page.keyboard.press('a')
    await page.locator('dialog input[type=file]').first().setInputFiles({ name: 'many.torrent', mimeType: 'application/x-bittorrent', buffer: await far.torrent(t.id) })
    const tree = page.locator('dialog .tree')
    await tree.getByText('file 0.txt').waitFor()
    expect(await tree.locator('li').count()).toBeLessThan(60)
    // What is next is in sight, however many there are.
    const fetch = page.getByRole('button', { name: 'Download', exact: true })
    const { y, height } = (await fetch.boundingBox())!
    expect(y + height).toBeLessThan((await page.getByRole('dialog').boundingBox())!.y + (await page.getByRole('dialog').boundingBox())!.height)
    await tree.evaluate((e) => { e.scrollTop = e.scrollHeight })
    await page.getByLabel('Include file 9999.txt').uncheck()
    await page.getByRole('button', { name: 'Download 9,999 files' }).click()
    await page.getByRole('heading', { name: 'Ten thousand' }).waitFor()
    await page.getByRole('tab', { name: 'Files' }).click()
    await page.getByText('9,999 files of 10,000 selected').waitFor()
    expect(await page.locator('.tree li').count()).toBeLessThan(60)
  })

  test('of several, those that cannot be fetched are named', async () => {
    const t = await publish(far, content('good.bin', 50_000))
    const here = await publish(far, content('here.bin', 70_000))
    await near.api('POST', '/transfers', { link: here.link })
    await open('/')
    await page.keyboard.press('a')
    const type = 'application/x-bittorrent'
    await page.locator('dialog input[type=file]').first().setInputFiles([
      { name: 'bad.torrent', mimeType: type, buffer: Buffer.from('no') }, { name: 'good.torrent', mimeType: type, buffer: await far.torrent(t.id) },
      { name: 'here.torrent', mimeType: type, buffer: await far.torrent(here.id) }])
    await page.getByRole('dialog').getByText('good.bin').waitFor()
    await page.getByRole('dialog').getByText('“bad.torrent” is not a .torrent file').waitFor()
    await page.getByRole('heading', { name: 'Download 1 transfer?' }).waitFor()
    await page.getByText('50.0 kB to download').waitFor()
    expect(await violations(page)).toEqual([])
    await page.getByRole('button', { name: 'Back' }).click()
    await page.getByLabel('Link').fill(Array.from({ length: 53 }, (_, i) => `magnet:?xt=urn:btih:${i.toString(16).padStart(40, 'a')}`).join('\n'))
    await page.getByRole('button', { name: 'Preview' }).click()
    await page.getByText('add the other 3 afterwards').waitFor()
    await page.getByRole('heading', { name: 'Download 50 transfers?' }).waitFor()
    await page.getByRole('button', { name: 'Back' }).click()
    await page.getByLabel('Link').fill('magnet:?xt=urn:btih:zz')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'This cannot be downloaded' }).waitFor()
  })

  test('what cannot fit on the disk is warned of before it is fetched', async () => {
    const t = await publish(far, content('big.bin', 60_000))
    const torrent = { name: 'big.torrent', mimeType: 'application/x-bittorrent', buffer: await far.torrent(t.id) }
    for (const [free, kept, warned] of [[70_000, 0, false], [50_000, 0, true], [70_000, 20_000, true]] as const) {
      await page.route('**/api/v1/preview', async (r) => {
        const answer = await r.fetch()
        await r.fulfill({ response: answer, json: { ...await answer.json(), free, min_free: kept } })
      })
      await open('/')
      await page.keyboard.press('a')
      await page.locator('dialog input[type=file]').first().setInputFiles([torrent])
      const said = page.getByRole('dialog').getByText('60.0 kB to download')
      await said.waitFor()
      expect(await said.textContent()).toBe(`60.0 kB to download, ${free / 1000}.0 kB free there${kept ? ', of which 20.0 kB stay free' : ''}${warned ? '. There is not enough space' : ''}`)
      await page.unroute('**/api/v1/preview')
    }
    expect(await violations(page)).toEqual([])
  })

  test('every address shows something, and a reload the same', async () => {
    const file = content('addressed.bin', 1000)
    await near.api('POST', '/shares', { path: file })
    const t = await seeded(near, file)
    for (const [path, heading] of [
      ['/t/xyz', 'Transfer not found'], [`/t/${t.id}/nope`, 'addressed.bin'], ['/t', 'Page not found'], ['/share/xyz', 'Share'],
      [`/share/${t.id}`, 'Shared'], ['/find/xyz', 'Channel not found'], ['/nowhere', 'Page not found'], ['/?show=nope', 'Transfers'],
      ['/?sort=nope.desc', 'Transfers'], ['/?sort=constructor', 'Transfers'],
    ] as const) {
      await open(path)
      await page.getByRole('heading', { name: heading, exact: true, level: 1 }).waitFor()
      await page.reload()
      await page.getByRole('heading', { name: heading, exact: true, level: 1 }).waitFor()
    }
    await page.locator('.grid-body [role=row]', { hasText: 'addressed.bin' }).waitFor()
    // Back goes through what was shown.
    await page.getByRole('link', { name: 'addressed.bin' }).click()
    await page.getByRole('tab', { name: 'Log' }).click()
    await page.goBack()
    await page.waitForURL(new RegExp(`/t/${t.id}(\\?|$)`))
    await page.goBack()
    await page.getByRole('heading', { name: 'Transfers', exact: true }).waitFor()
    await page.getByText('Skip to the content').focus()
    await page.keyboard.press('Enter')
    await until('the content to have the focus', () => page.evaluate(() => document.activeElement?.id === 'main'))
  })

  test('what one tab does the other shows', async () => {
    await near.api('POST', '/transfers', { link: `magnet:?xt=urn:btih:${'7'.repeat(40)}&dn=seen twice` })
    await open('/')
    const other = await context.newPage()
    await other.goto(`${near.url}/t/${'7'.repeat(40)}`)
    await other.getByRole('button', { name: 'Pause' }).click()
    await page.locator('.grid-body [role=row]').getByText('Paused', { exact: true }).waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('p')
    await other.locator('.progress-line').getByText('Finding').waitFor()
    await near.api('DELETE', `/transfers/${'7'.repeat(40)}`)
    await other.getByText('Transfer not found').waitFor()
    await page.getByText('No transfers yet').waitFor()
  })

  test('a sign-in that is ended elsewhere ends what the page shows, and a new link begins anew', async () => {
    const link = async (): Promise<string> => (await near.api<{ url: string }>('POST', '/sign-in')).url
    const c = await browser.newContext()
    const p = await c.newPage()
    const first = await link()
    await p.goto(first)
    await p.getByRole('heading', { name: 'Transfers', exact: true }).waitFor()
    expect(p.url()).toBe(`${near.url}/`)
    await page.goto(near.url + '/settings')
    // The other is not the one that this browser was given.
    await page.locator('.hits li', { hasNotText: 'this browser' }).getByRole('button', { name: 'Revoke' }).first().click()
    await p.getByText('Sign in to this node').waitFor()
    // The page is open there already: only the part after # changes.
    await p.goto(first)
    await p.getByText('This link was already used').waitFor()
    expect(await violations(p)).toEqual([])
    await p.goto(await link())
    await p.getByRole('heading', { name: 'Transfers', exact: true }).waitFor()
    expect(p.url()).toBe(`${near.url}/`)
    await c.close()
  })

  test('without a node every screen says so', async () => {
    await open('/')
    await near.stop('SIGKILL')
    try {
      await page.getByText('The page may be out of date').waitFor()
      for (const name of ['Share', 'Find', 'Network', 'Settings']) {
        await page.getByRole('navigation').getByRole('link', { name }).click()
        await page.locator('.problem', { hasText: 'The node does not answer' }).first().waitFor()
      }
      expect(await violations(page)).toEqual([])
    } finally {
      await near.start()
    }
  })

  test.each([[360, ''], [360, twice], [900, ''], [1440, '']])('the figures of a file stay in its row, at %i px%s', async (width, letters) => {
    const name = `Deep ${width} ${letters ? 'large' : ''}`.trim()
    for (const [i, path] of ['one', 'one/two', 'one/two/three', 'one/two/three/four'].entries()) writeFileSync(join(folder('content', name, ...path.split('/')), `${'long name '.repeat(8)}${i}.bin`), Buffer.alloc(999_000 + i, i))
    const t = await publish(far, folder('content', name))
    await near.api('POST', '/transfers', { link: t.link })
    const b = await launch(undefined, ...(letters ? [letters] : []))
    try {
      const p = await (await visit(b, near, { viewport: { width, height: 740 }, locale: 'de' })).newPage()
      await p.goto(`${near.url}/t/${t.id}/files`)
      await p.locator('.tree li').first().waitFor()
      for (const f of ['two', 'three', 'four']) await p.locator('.tree button', { hasText: f }).click()
      expect(await p.locator('.tree li').count()).toBe(8)
      expect(await p.evaluate(() => [...document.querySelectorAll('.tree li')].flatMap((li) => {
        const box = li.getBoundingClientRect()
        return [...li.querySelectorAll('*')].filter((e) => !e.closest('svg') && e.getClientRects().length > 0).filter((e) => {
          const r = e.getBoundingClientRect()
          return r.top < box.top - 1 || r.bottom > box.bottom + 1 || r.right > box.right + 1
        }).map((e) => `${li.textContent}: ${e.outerHTML.slice(0, 80)}`)
      }))).toEqual([])
      // And something of each name is seen.
      for (const n of await p.locator('.tree-name bdi').all()) expect((await n.boundingBox())!.width).toBeGreaterThan(20)
    } finally {
      await b.close()
    }
  })

  test('in German the page says in German that the node is gone', async () => {
    const c = await visit(browser, near, { locale: 'de' })
    const p = await c.newPage()
    await p.route('**/api/v1/events*', (r) => r.abort())
    await p.goto(near.url)
    const banner = p.locator('.banner.bad')
    await banner.getByText('Der Knoten antwortet nicht. Die Seite ist vielleicht nicht aktuell.').waitFor()
    // A long screen does not press it together.
    await p.setViewportSize({ width: 360, height: 640 })
    await p.getByRole('navigation').getByRole('link', { name: 'Teilen' }).click()
    await p.locator('.browse').waitFor()
    expect(await banner.evaluate((e) => e.scrollHeight - e.clientHeight)).toBeLessThan(2)
    await c.close()
  })

  test('the screen of a transfer that is not there is no taller than what it says', async () => {
    await open(`/t/${'e'.repeat(40)}`)
    const button = page.getByRole('button', { name: 'Show the transfers' })
    expect((await button.boundingBox())!.height).toBeLessThan(50)
  })

  test('on a phone no keyboard rises over the channels', async () => {
    for (const hasTouch of [true, false]) {
      const c = await visit(browser, near, { hasTouch, isMobile: hasTouch, locale: 'de', viewport: { width: 360, height: 740 } })
      const p = await c.newPage()
      await p.goto(`${near.url}/find`)
      await p.getByRole('heading', { name: 'Kanäle' }).waitFor()
      expect(await p.evaluate(() => document.activeElement instanceof HTMLInputElement)).toBe(!hasTouch)
      await harmless(p, 'find')
      expect(await p.evaluate(() => [...document.querySelectorAll('.card .button')].filter((e) => e.getBoundingClientRect().right > e.closest('.card')!.getBoundingClientRect().right - 15).map((e) => e.textContent))).toEqual([])
      await c.close()
    }
  })
})
