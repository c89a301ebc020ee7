// A person with nothing but a browser, for the tests of whole systems: reads what to do from
// standard input, one JSON object a line, and answers on standard output in the same way.
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})
const page = await (await browser.newContext({ acceptDownloads: true, locale: 'en-US' })).newPage()
page.setDefaultTimeout(120_000)
const ranges = []
page.on('response', (r) => { if (r.url().includes('/inline/')) ranges.push(r.status()) })

const colourOf = () => {
  const c = document.createElement('canvas')
  c.width = c.height = 1
  const g = c.getContext('2d')
  g.drawImage(document.querySelector('video'), 0, 0, 1, 1)
  const rgb = [...g.getImageData(0, 0, 1, 1).data].slice(0, 3)
  return ['red', 'green', 'blue'][rgb.indexOf(Math.max(...rgb))]
}

const orders = {
  async open({ url }) {
    await page.goto(url)
    await page.evaluate(() => { window.opened = true })
    return { text: await page.locator('body').innerText() }
  },
  /** Waits until the page shows a text, and tells whether that is still the page that was opened. */
  async shows({ text }) {
    await page.getByText(text).first().waitFor()
    return { same: await page.evaluate(() => window.opened === true), text: await page.locator('main').innerText() }
  },
  async click({ name }) {
    await page.getByRole('link', { name, exact: true }).click()
    return {}
  },
  /** Plays the film of the page for a moment at each of some parts of its length. */
  async watch({ parts }) {
    const colours = []
    await page.waitForFunction(() => document.querySelector('video').readyState >= 1)
    for (const part of parts) {
      await page.evaluate(async (part) => { const v = document.querySelector('video'); v.muted = true; v.currentTime = v.duration * part; await v.play() }, part)
      await page.waitForFunction((part) => { const v = document.querySelector('video'); return !v.seeking && v.currentTime > v.duration * part + 0.2 }, part)
      colours.push(await page.evaluate(colourOf))
    }
    return { colours, ranges }
  },
  async save({ name, to }) {
    const [d] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name }).click()])
    await d.saveAs(to)
    return { name: d.suggestedFilename() }
  },
  /** Waits until the page says that its link has moved. */
  async moved() {
    const link = page.locator('#moved a')
    await link.waitFor()
    return { url: await link.innerText(), href: await link.getAttribute('href') }
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line)
  let said
  try {
    said = { event: order.do, ...await orders[order.do](order) }
  } catch (e) {
    said = { event: 'error', message: String(e) }
  }
  process.stdout.write(JSON.stringify(said) + '\n')
}
await browser.close()
