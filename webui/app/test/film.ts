// Films for tests, made by the browser: every frame is a picture of noise, which WebP holds as
// a key frame of VP8, in a WebM file (RFC 9559) as large as the test wants.
import type { Page } from 'playwright-core'

const width = 320
const height = 240
const fps = 10

const size = (n: number): Buffer => {
  const b = Buffer.alloc(8)
  b.writeBigUInt64BE(BigInt(n))
  b[0] = 1
  return b
}
/** element is one of EBML, with a size of 8 bytes. */
function element(id: number, ...parts: (Buffer | number | string)[]): Buffer {
  const data = Buffer.concat(parts.map((p) => {
    if (typeof p === 'string') return Buffer.from(p)
    if (typeof p !== 'number') return p
    const b = Buffer.alloc(8)
    b.writeBigUInt64BE(BigInt(p))
    return b
  }))
  const name = Buffer.from(id.toString(16), 'hex')
  return Buffer.concat([name, size(data.length), data])
}

/** film makes one of so many seconds. Frames are 10 to 40 kB each, ten a second. */
export async function film(page: Page, seconds: number): Promise<Buffer> {
  const pictures = await page.evaluate(async ([w, h]) => {
    const out: string[] = []
    for (let n = 0; n < 5; n++) {
      const c = document.createElement('canvas')
      c.width = w
      c.height = h
      const g = c.getContext('2d')!
      const d = g.createImageData(w, h)
      for (let i = 0; i < d.data.length; i++) d.data[i] = i % 4 === 3 ? 255 : Math.random() * 256
      g.putImageData(d, 0, 0)
      const blob = await new Promise<Blob>((done) => c.toBlob((b) => done(b!), 'image/webp', 0.7))
      let raw = ''
      for (const x of new Uint8Array(await blob.arrayBuffer())) raw += String.fromCharCode(x)
      out.push(btoa(raw))
    }
    return out
  }, [width, height] as const)
  const frames = pictures.map((p) => {
    const b = Buffer.from(p, 'base64')
    const at = b.indexOf('VP8 ')
    return b.subarray(at + 8, at + 8 + b.readUInt32LE(at + 4))
  })
  const duration = Buffer.alloc(8)
  duration.writeDoubleBE(seconds * 1000)
  const head = [
    element(0x1549a966, element(0x2ad7b1, 1_000_000), element(0x4489, duration), element(0x4d80, 'shoal'), element(0x5741, 'shoal')),
    element(0x1654ae6b, element(0xae, element(0xd7, 1), element(0x73c5, 1), element(0x83, 1), element(0x86, 'V_VP8'), element(0xe0, element(0xb0, width), element(0xba, height)))),
  ]
  const clusters = Array.from({ length: seconds }, (_, s) => element(0x1f43b675, element(0xe7, s * 1000), ...Array.from({ length: fps }, (_, i) => {
    const at = Buffer.from([0x81, 0, 0, 0x80])
    at.writeInt16BE(i * 1000 / fps, 1)
    return element(0xa3, at, frames[(s * fps + i) % frames.length]!)
  })))
  const cues = (first: number): Buffer => {
    let pos = first
    return element(0x1c53bb6b, ...clusters.map((c, s) => {
      const cue = element(0xbb, element(0xb3, s * 1000), element(0xb7, element(0xf7, 1), element(0xf1, pos)))
      pos += c.length
      return cue
    }))
  }
  const before = head[0]!.length + head[1]!.length
  const index = cues(before + cues(0).length)
  return Buffer.concat([
    element(0x1a45dfa3, element(0x4286, 1), element(0x42f7, 1), element(0x42f2, 4), element(0x42f3, 8), element(0x4282, 'webm'), element(0x4287, 2), element(0x4285, 2)),
    element(0x18538067, ...head, index, ...clusters),
  ])
}

/** tone is a track of so many seconds, as WAV. */
export function tone(seconds: number, hertz: number): Buffer {
  const rate = 8000
  const b = Buffer.alloc(44 + rate * seconds)
  b.write('RIFF', 0); b.writeUInt32LE(b.length - 8, 4); b.write('WAVEfmt ', 8); b.writeUInt32LE(16, 16)
  b.writeUInt16LE(1, 20); b.writeUInt16LE(1, 22); b.writeUInt32LE(rate, 24); b.writeUInt32LE(rate, 28)
  b.writeUInt16LE(1, 32); b.writeUInt16LE(8, 34); b.write('data', 36); b.writeUInt32LE(rate * seconds, 40)
  for (let i = 44; i < b.length; i++) b[i] = 128 + 60 * Math.sin(2 * Math.PI * hertz * i / rate)
  return b
}
