// The drawing code of QR codes.
import { encode } from 'uqr'

/** draw returns one SVG path of all dark modules, with the quiet zone that readers need. */
export function draw(text: string): { size: number; path: string } {
  const { data, size } = encode(text, { ecc: 'L', border: 4 })
  let path = ''
  data.forEach((row, y) => {
    for (let x = 0; x < row.length; x++) {
      if (!row[x]) continue
      let end = x
      while (row[end + 1]) end++
      path += `M${x} ${y}h${end - x + 1}v1h${x - end - 1}z`
      x = end
    }
  })
  return { size, path }
}
