// The reading code of QR codes in pictures.
import decode from 'qr/decode.js'

// Attempts: the longest side that the picture is scaled to, in pixels, and its
// rotation in degrees. The reader is fast but does not find codes at 45°; small
// codes on large screens need every pixel.
const looks = [[2400, 0], [1600, 45], [4096, 0]] as const

/** read returns the text of a QR code in a picture, or undefined. It fails if the file is not a picture. */
export async function read(picture: Blob): Promise<string | undefined> {
  const bitmap = await createImageBitmap(picture)
  try {
    const side = Math.max(bitmap.width, bitmap.height)
    for (const [most, turn] of looks) {
      if (most > 2400 && side <= 2400) break
      const text = look(bitmap, Math.min(1, most / side), turn)
      if (text !== undefined) return text
    }
    return undefined
  } finally {
    bitmap.close()
  }
}

function look(bitmap: ImageBitmap, scale: number, turn: number): string | undefined {
  const [w, h] = [Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale))]
  const canvas = document.createElement('canvas')
  // A rotated picture fits into a square with its diagonal as the side.
  const all = Math.ceil(Math.hypot(w, h))
  canvas.width = turn ? all : w
  canvas.height = turn ? all : h
  const c = canvas.getContext('2d', { willReadFrequently: true })!
  c.fillStyle = '#fff' // behind a picture that has holes
  c.fillRect(0, 0, canvas.width, canvas.height)
  c.imageSmoothingQuality = 'high'
  c.translate(canvas.width / 2, canvas.height / 2)
  c.rotate((turn * Math.PI) / 180)
  c.drawImage(bitmap, -w / 2, -h / 2, w, h)
  try {
    return decode(c.getImageData(0, 0, canvas.width, canvas.height), { effort: 20, timeLimit: 1000 })
  } catch {
    return undefined
  }
}
