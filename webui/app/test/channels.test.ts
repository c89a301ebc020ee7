// The screens of channels in a real browser: one that is followed and one of
// near's own, both made to do harm by their names.
//
//	browser --- near --- far, whose channel near follows
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Channel, Transfer } from '../src/api/types'
import { clean, folder, harmless, launch, looked, missing, Node, publish, sideways, until, violations, visit, watched } from './lab'

const lacks = missing()
const script = '<img src=x onerror=alert(1)>\u202e'
const long = 'long '.repeat(400)

describe.skipIf(lacks)('channels', { timeout: 120_000 }, () => {
  let browser: Browser, near: Node, far: Node
  let followed: Channel, own: Channel, shared: Transfer

  /** fill makes a channel of hostile names, with a share of such in it. */
  const fill = async (n: Node, name: string): Promise<[Channel, Transfer]> => {
    const dir = folder(n.name, 'home', 'Evil')
    writeFileSync(join(dir, `${script}${'x'.repeat(180)}.svg`), randomBytes(10_000))
    writeFileSync(join(dir, `"><script>alert(1)<.html`), randomBytes(10_000))
    const t = await publish(n, dir, `${script} ${name} ${'y'.repeat(150)}`)
    const c = await n.api<Channel>('POST', '/channels', { name: `${script}${name} ${'z'.repeat(100)}`, about: script + 'about '.repeat(200) })
    await n.api('POST', `/channels/${c.key}/entries`, { ids: [t.id], about: script + long.slice(0, 1900), tags: [script, 'tag'.repeat(30), '"><script>'] })
    await n.api('POST', `/channels/${c.key}/entries`, { links: [`magnet:?xt=urn:btih:${'e'.repeat(40)}&dn=${encodeURIComponent(script + long)}`] })
    return [c, t]
  }

  beforeAll(async () => {
    far = await new Node('far').start()
    const { listen: [there] } = await far.api<{ listen: string[] }>('GET', '/node')
    ;[browser, near] = await Promise.all([launch(), new Node('near', ['--bootstrap', there!, '--listen', '[::1]:0', '--no-lan']).start()])
    ;[followed] = await fill(far, 'followed')
    ;[own, shared] = await fill(near, 'own')
    const { content } = await far.api<Channel>('POST', `/channels/${followed.key}/publish`, {})
    await near.api('POST', `/channels/${own.key}/publish`, {})
    await near.api('POST', '/channels', { link: followed.link })
    // Loopback addresses that the DHT tells of are not called: far is told of by hand.
    await until('its list to be looked for', async () => (await near.api<Transfer[]>('GET', '/transfers')).find((t) => t.id === content))
    await near.api('POST', `/transfers/${content}/peers`, { addresses: [there] })
    await until('its list to be here', async () => (await near.api<Channel>('GET', `/channels/${followed.key}`)).entries === 2)
  }, 180_000)
  afterAll(async () => {
    await browser?.close()
    await Promise.all([near?.stop(), far?.stop()])
    clean()
  }, 60_000)

  const screens = (): string[] => ['/find', `/find/${own.key}`, `/find/${followed.key}`, '/find?q=alert', `/share/${shared.id}`]

  test('hostile names are text, and axe finds nothing', async () => {
    const c = await visit(browser, near)
    const p = await c.newPage()
    const complaints = watched(p)
    const see = (name: string): Promise<void> => looked(p, `channels ${name}`, async (where) => {
      await harmless(p, where)
      expect(await sideways(p), where).toBe(false)
    })
    for (const path of screens()) {
      await p.goto(near.url + path)
      await p.locator('main h1').first().waitFor()
      await harmless(p, path)
      // All that there is of each hit, with its files.
      const hits = p.locator('.hit-name')
      if (path.startsWith('/find?') || path.length > 40 && path.startsWith('/find/')) {
        await hits.nth(1).waitFor()
        for (let i = 0; i < await hits.count(); i++) await hits.nth(i).click()
        await p.locator('.about').nth(await hits.count() - 1).waitFor()
      }
      await see(path)
    }
    // What asks, and what is shown of a link.
    for (const [key, leave] of [[own.key, 'Delete the channel'], [followed.key, 'Unfollow']] as const) {
      await p.goto(`${near.url}/find/${key}`)
      for (const name of ['Link', leave]) {
        await p.getByRole('button', { name, exact: true }).click()
        await p.getByRole('dialog').waitFor()
        await see(name)
        await p.keyboard.press('Escape')
      }
    }
    await c.close()
    expect(complaints).toEqual([])
  })

  test('their lists stay out of the way, and go with them only', async () => {
    const c = await visit(browser, near)
    const p = await c.newPage()
    const complaints = watched(p)
    await p.goto(near.url + '/')
    const rows = p.locator('.grid-body [role=row]')
    await rows.filter({ hasText: ' own yyy' }).waitFor()
    expect(await rows.count()).toBe(1)
    await p.getByRole('button', { name: /^Lists of channels/ }).click()
    await rows.filter({ hasText: 'List of <img src=x onerror=alert(1)>own' }).waitFor()
    const row = rows.filter({ hasText: 'List of <img src=x onerror=alert(1)>followed' })
    await row.waitFor()
    expect(await rows.count()).toBe(2)
    await harmless(p, 'the lists')
    expect(await violations(p)).toEqual([])
    // Own shares are what the user shared.
    await p.getByRole('navigation').getByRole('link', { name: 'Share' }).click()
    await p.locator('.link-card').waitFor()
    expect(await p.locator('.link-card').count()).toBe(1)
    await p.goBack()
    await row.getByRole('link').click()
    await p.getByRole('heading', { name: 'List of <img src=x onerror=alert(1)>followed' }).waitFor()
    await p.getByText('It is removed with the channel').waitFor()
    await p.keyboard.press('Delete')
    await p.getByText('This belongs to a channel').waitFor()
    await harmless(p, 'removing a list')
    expect(await violations(p)).toEqual([])
    await p.getByRole('link', { name: 'Show the channel' }).click()
    await p.waitForURL(`**/find/${followed.key}`)
    // What a filter hides stays, though it is selected.
    await p.goto(`${near.url}/?show=lists`)
    await row.getByRole('checkbox').check()
    await p.getByRole('button', { name: /^All/ }).click()
    await rows.first().getByRole('checkbox').check()
    await p.getByText('1 selected').waitFor()
    await p.getByRole('toolbar').getByRole('button', { name: 'Remove' }).click()
    await p.getByText('Remove this transfer?').waitFor()
    await p.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click()
    await p.getByText('No transfers yet').waitFor()
    await p.getByText('are hidden').waitFor()
    expect(await violations(p)).toEqual([])
    await p.goto(`${near.url}/share`) // whoever leaves meant it
    await until('it to be gone', async () => (await near.api<Transfer[]>('GET', '/transfers')).every((t) => t.channel))
    await c.close()
    expect(complaints).toEqual([])
  })

  test('one of many entries is found by searching in it', async () => {
    const many = await near.api<Channel>('POST', '/channels', { name: 'Many' })
    for (const from of [0, 1000]) {
      const links = Array.from({ length: from ? 5 : 1000 }, (_, i) => `magnet:?xt=urn:btih:${(from + i + 1).toString(16).padStart(40, '0')}&dn=entry%20${from + i}`)
      await near.api('POST', `/channels/${many.key}/entries`, { links })
    }
    const c = await visit(browser, near)
    const p = await c.newPage()
    const complaints = watched(p)
    await p.goto(`${near.url}/find/${many.key}`)
    for (let shown = 100; shown < 1000; shown += 100) {
      await until(`${shown} entries`, async () => (await p.locator('.hit-name').count()) === shown)
      await p.getByRole('button', { name: 'Show more' }).click()
    }
    await p.getByText('And 5 more entries').waitFor()
    await p.getByRole('link', { name: 'Search the channel' }).click()
    await p.getByText(/^More than .* results/).waitFor()
    await p.goBack()
    await p.getByRole('button', { name: 'Search in this channel' }).click()
    await p.getByLabel('Search', { exact: true }).pressSequentially('1003')
    await p.getByText('1 result', { exact: true }).waitFor()
    await p.locator('.hits li', { hasText: 'entry 1003' }).getByRole('link', { name: 'Many' }).waitFor()
    await c.close()
    await near.api('DELETE', `/channels/${many.key}?own=true`)
    expect(complaints).toEqual([])
  })

  test('a sealed channel is made, and who follows it blind sees sizes and no names', async () => {
    const c = await visit(browser, near)
    const p = await c.newPage()
    const complaints = watched(p)
    await p.goto(`${near.url}/find`)
    await p.getByLabel('Create a channel').fill('Family')
    await p.getByLabel(/^Sealed/).check()
    await p.getByRole('button', { name: 'Create' }).click()
    await p.getByRole('heading', { name: 'Family' }).waitFor()
    await p.locator('.tag', { hasText: /^\s*sealed$/ }).waitFor()
    await p.getByRole('button', { name: 'Link', exact: true }).click()
    await p.getByText('Anyone who has this link can read the channel').waitFor()
    const mine = (await near.api<Channel[]>('GET', '/channels')).find((x) => x.name === 'Family')!
    expect(mine.link).toMatch(/&x\.k=[0-9a-f]{64}$/)
    expect(mine.blind_link).toBe(`magnet:?xs=urn:btpk:${mine.key}`)
    await p.getByRole('dialog').getByText(mine.blind_link!, { exact: true }).waitFor()
    expect(await violations(p)).toEqual([])

    const theirs = await far.api<Channel>('POST', '/channels', { name: 'Their family', sealed: true })
    const key = '00112233445566778899aabbccddeeff'.repeat(2)
    await far.api('POST', `/channels/${theirs.key}/entries`, { links: [`magnet:?xt=urn:btih:${'d'.repeat(40)}&dn=Holiday&xl=1310720&x.k=${key}`] })
    const { content } = await far.api<Channel>('POST', `/channels/${theirs.key}/publish`, {})
    const { listen: [there] } = await far.api<{ listen: string[] }>('GET', '/node')
    await near.api('POST', '/channels', { link: theirs.blind_link })
    await until('its list to be looked for', async () => (await near.api<Transfer[]>('GET', '/transfers')).find((t) => t.id === content))
    await near.api('POST', `/transfers/${content}/peers`, { addresses: [there] })
    await until('its list to be here', async () => (await near.api<Channel>('GET', `/channels/${theirs.key}`)).entries === 1)
    await p.goto(`${near.url}/find/${theirs.key}`)
    await p.getByRole('heading', { name: `Sealed channel ${theirs.key.slice(0, 8)}` }).waitFor()
    await p.locator('.tag', { hasText: 'sealed, not readable here' }).waitFor()
    await p.locator('.hit-name', { hasText: /Sealed, 1\.31\sMB/ }).click()
    await p.getByText('this node cannot read it').waitFor()
    expect(await p.content()).not.toMatch(/Holiday|Their family/)
    expect(await violations(p)).toEqual([])

    // The full link makes it readable.
    await near.api('POST', '/channels', { link: theirs.link })
    await p.getByRole('heading', { name: 'Their family' }).waitFor()
    await p.locator('.hit-name', { hasText: 'Holiday' }).waitFor()
    expect(await violations(p)).toEqual([])
    await c.close()
    await near.api('DELETE', `/channels/${theirs.key}`)
    await near.api('DELETE', `/channels/${mine.key}?own=true`)
    expect(complaints).toEqual([])
  })
})
