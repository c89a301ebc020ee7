// Films, music and pictures in a real browser, while they arrive:
//
//	browser --- near --- far
//
// SHOTS=DIR takes a picture of each screen, light, dark and as on a phone.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PNG } from 'pngjs'
import { describe, expect, test } from 'vitest'
import type { Transfer } from '../src/api/types'
import { film, tone } from './film'
import { folder, harmless, looked, missing, publish, seeded, stage, until, type Stage } from './lab'

const why = missing()

const picture = (r: number, g: number, b: number): Buffer => {
  const png = new PNG({ width: 320, height: 240 })
  for (let i = 0; i < png.data.length; i += 4) png.data.set([r, g, b, 255], i)
  return PNG.sync.write(png)
}
const german = '1\r\n00:00:00,000 --> 00:01:50,000\r\nSch\xf6ne Gr\xfc\xdfe\r\n'

describe.skipIf(why)('playing', { timeout: 240_000 }, () => {
  let { near, far, page, open } = {} as Stage
  stage((s) => { ({ near, far, page, open } = s) })

  let made: Buffer | undefined
  /** cinema is a folder with a film of 120 s, a poster, and subtitles in two languages. */
  const cinema = async (name: string): Promise<{ dir: string; size: number }> => {
    if (!made) {
      await open('/')
      made = await film(page, 120)
    }
    const dir = folder('content', name)
    writeFileSync(join(dir, 'The Sea.webm'), made)
    writeFileSync(join(dir, 'The Sea.jpg'), '') // no poster: it is empty
    writeFileSync(join(dir, 'poster.png'), picture(20, 90, 120))
    writeFileSync(join(dir, 'The Sea.de.srt'), Buffer.from(german, 'latin1'))
    writeFileSync(join(dir, 'The Sea.eng.vtt'), 'WEBVTT\n\n00:00.000 --> 01:50.000\nGreetings <script>alert(1)</script>\n')
    return { dir, size: made.length }
  }
  const video = () => page.locator('video')
  const time = (): Promise<number> => video().evaluate((v) => (v as HTMLVideoElement).currentTime)

  const see = (name: string): Promise<void> => looked(page, `play ${name}`, async (where) => {
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth && [...document.querySelectorAll('dialog .dialog')].every((d) => d.scrollWidth <= d.clientWidth)), where).toBe(true)
  })

  test('a film plays while it arrives, tells what it waits for, and others yield', async () => {
    const { dir, size } = await cinema('Cinema')
    const t = await publish(far, dir)
    const other = folder('content', 'Other')
    writeFileSync(join(other, 'other.iso'), Buffer.alloc(40_000_000, 'other'))
    const o = await publish(far, other)
    // The film needs a good deal of it; the other download takes what it can get.
    await far.api('PUT', '/limits', { up: Math.round(size / 120 * 1.5), down: 0 })
    try {
      await near.api('POST', '/transfers', { link: o.link })
      await near.api('POST', '/transfers', { link: t.link })
      await until('both to arrive', async () => (await near.api<Transfer[]>('GET', '/transfers')).filter((x) => x.down > 50_000).length === 2)
      await open(`/t/${t.id}/files`)
      await page.getByRole('button', { name: 'Show The Sea.webm' }).click()
      const dialog = page.getByRole('dialog', { name: 'The Sea.webm' })
      await dialog.getByText(/^Waiting for piece \d+: \d+ of the next \d+ pieces are missing|The player loads/).waitFor()
      await dialog.getByText('Other downloads are held to').waitFor()
      const slowed = await until('the other to say why', async () => {
        const s = await near.api<Transfer>('GET', `/transfers/${o.id}`)
        return s.reason === 'slowed down while “Cinema” plays' && s
      })
      expect(slowed.state).toBe('fetching')
      await dialog.getByText('Download rate').waitFor()
      await see('waits')
      await until('the film to play', async () => await time() > 1, 90)
      expect((await near.api<Transfer>('GET', `/transfers/${t.id}`)).state).toBe('fetching')

      // Both languages, in their encodings, as cues without markup.
      expect(await page.getByLabel('Subtitles').locator('option').allTextContents()).toEqual(['Off', 'English', 'German'])
      const cues = (label: string): Promise<string[] | undefined> => video().evaluate((v, l) => {
        const track = [...(v as HTMLVideoElement).textTracks].find((x) => x.label === l)!
        return track.mode === 'showing' && track.cues?.length ? [...track.cues].map((c) => (c as VTTCue).text) : undefined
      }, label)
      expect(await until('English, which the browser speaks', () => cues('English'))).toEqual(['Greetings alert(1)'])
      await page.getByLabel('Subtitles').selectOption('German')
      expect(await until('German', () => cues('German'))).toEqual(['Schöne Grüße'])
      await see('plays')

      // A jump, and coming back to it.
      await video().evaluate((v) => { (v as HTMLVideoElement).currentTime = 70 })
      await until('the film to play there', async () => await time() > 70.5, 90)
      await page.keyboard.press('Escape')
      await until('the other to be left alone', async () => (await near.api<Transfer>('GET', `/transfers/${o.id}`)).reason !== 'slowed down while “Cinema” plays')
      await page.reload()
      await page.getByRole('button', { name: 'Show The Sea.webm' }).click()
      await page.getByText('Continued at 1:1').waitFor()
      expect(await time()).toBeGreaterThanOrEqual(70)
      await page.getByRole('button', { name: 'Start over' }).click()
      expect(await time()).toBeLessThan(70)
    } finally {
      await far.api('PUT', '/limits', { up: 0, down: 0 })
    }
    await page.locator('.progress-line').getByText('Seeding').waitFor({ timeout: 60_000 })
    // What is complete waits for nothing, and has its poster.
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Show The Sea.webm' }).click()
    await page.getByRole('dialog').waitFor()
    expect(await page.getByText('Download rate').count()).toBe(0)
    const src = await video().getAttribute('poster')
    expect(await page.evaluate(async (u) => (await fetch(u)).headers.get('content-type'), src!)).toBe('image/png')
  })

  test('a sealed film plays as any other', async () => {
    const { dir, size } = await cinema('Sealed cinema')
    await far.api('POST', '/shares', { path: dir, sealed: true })
    const t = await seeded(far, dir)
    // A little more than playing takes: it is not complete before it plays at its end.
    await far.api('PUT', '/limits', { up: Math.round(size / 120 * 1.2), down: 0 })
    try {
      await near.api('POST', '/transfers', { link: t.link })
      await until('the list of files', async () => (await near.api<Transfer>('GET', `/transfers/${t.id}`)).files > 1)
      await open(`/t/${t.id}/files`)
      await page.getByRole('button', { name: 'Show The Sea.webm' }).click()
      await until('the film to play', async () => await time() > 0.5, 90)
      await page.getByText('On the node').waitFor()
      await video().evaluate((v) => { (v as HTMLVideoElement).currentTime = 100 })
      await until('the film to play there', async () => await time() > 100.5, 90)
      expect((await near.api<Transfer>('GET', `/transfers/${t.id}`)).state).toBe('fetching')
      await page.getByLabel('Subtitles').selectOption('German')
      await until('the subtitles', () => video().evaluate((v) => [...(v as HTMLVideoElement).textTracks].some((x) => x.mode === 'showing' && x.activeCues?.length)))
      await see('sealed')
    } finally {
      await far.api('PUT', '/limits', { up: 0, down: 0 })
    }
  })

  test('music is a list, and pictures are a gallery', async () => {
    const dir = folder('content', 'Album')
    for (const [i, name] of ['1 Dawn.wav', '2 Noon <b>.wav', '10 Dusk.wav'].entries()) writeFileSync(join(dir, name), tone(i === 0 ? 1 : 600, 300 + 100 * i))
    for (let i = 1; i <= 9; i++) writeFileSync(join(dir, `photo ${i}.png`), picture(25 * i, 100, 200))
    writeFileSync(join(dir, 'broken.jpg'), 'this is no picture')
    const t = await publish(near, dir)
    await open(`/t/${t.id}/files`)
    await page.getByRole('button', { name: 'Show 1 Dawn.wav' }).click()
    const dialog = page.getByRole('dialog')
    // The first ends after a second, and the second begins.
    await page.getByRole('dialog', { name: '2 Noon <b>.wav' }).waitFor()
    expect(await dialog.locator('.tracks li bdi').allTextContents()).toEqual(['1 Dawn.wav', '2 Noon <b>.wav', '10 Dusk.wav'])
    await until('it to play', () => page.locator('audio').evaluate((a) => (a as HTMLAudioElement).currentTime > 0.2))
    await see('music')
    await dialog.getByRole('button', { name: 'Next' }).click()
    await page.getByRole('dialog', { name: '10 Dusk.wav' }).waitFor()
    expect(await dialog.getByRole('button', { name: 'Next' }).isDisabled()).toBe(true)
    await dialog.getByRole('button', { name: '1 Dawn.wav' }).click()
    await page.getByRole('dialog', { name: '1 Dawn.wav' }).waitFor()
    await page.keyboard.press('Escape')

    await page.getByRole('button', { name: 'Show photo 1.png' }).click()
    await dialog.getByText('2 of 10').waitFor()
    await page.keyboard.press('ArrowRight')
    await page.getByRole('dialog', { name: 'photo 2.png' }).waitFor()
    await until('the picture', () => dialog.getByRole('img', { name: 'photo 2.png' }).evaluate((i) => (i as HTMLImageElement).naturalWidth === 320))
    await see('gallery')
    await dialog.getByRole('button', { name: 'broken.jpg' }).click()
    await dialog.getByText('This browser cannot show this picture').waitFor()
    await page.keyboard.press('Escape')
    await harmless(page, 'files')
  })

  test('a film that the browser cannot show says what to do', async () => {
    const dir = folder('content', 'Old')
    writeFileSync(join(dir, 'old.mkv'), 'this is no film')
    const t = await publish(near, dir)
    await open(`/t/${t.id}/files`)
    await page.getByRole('button', { name: 'Show old.mkv' }).click()
    await page.getByText('Open this address in a media player').waitFor()
    await page.getByRole('button', { name: 'Copy the address' }).click()
    await until('the address', async () => (await page.evaluate(() => navigator.clipboard.readText())).includes(`/transfers/${t.id}/files/0/content?play=true`))
    await see('cannot')
  })

  test('after the player the files are as they were, with the focus at what was played', async () => {
    const dir = folder('content', 'Travels')
    for (const [i, sub] of ['north', 'south'].entries()) for (let n = 0; n < 20; n++) writeFileSync(join(folder('content', 'Travels', sub), `photo ${n}.png`), picture(100 * i, 10 * n, 50))
    const t = await publish(near, dir)
    await open(`/t/${t.id}/files`)
    await page.locator('.tree button', { hasText: 'south' }).click()
    const opener = page.getByRole('button', { name: 'Show photo 4.png' })
    await opener.focus()
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog')
    await until('the picture', () => dialog.getByRole('img', { name: 'photo 4.png' }).evaluate((i) => (i as HTMLImageElement).naturalWidth === 320))
    // The player's figures are no longer asked for: the stream begins anew without them.
    const anew = page.waitForResponse((r) => r.url().includes('/events') && !r.url().includes('streams'))
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await anew
    expect(await opener.evaluate((e) => e === document.activeElement)).toBe(true)
  })
})
