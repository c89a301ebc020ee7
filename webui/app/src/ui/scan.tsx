import type { JSX } from 'preact'
import { shown } from '../lib/text'
import { Pick } from './basics'
import { Icon } from './icons'

/** codeIn is the text of the code in a picture. The reader is loaded when it is needed first. */
export async function codeIn(file: File): Promise<string> {
  const { read } = await import('./qrread')
  let text: string | undefined
  try {
    text = await read(file)
  } catch {
    throw new Error(`“${shown(file.name)}” is not a picture that this browser can show`)
  }
  if (text === undefined) throw new Error('No code was found in the picture. All of the code has to be in it, sharp and not too small')
  return text
}

/** Scan asks for the picture of a code: of the camera on a phone, a screenshot elsewhere. */
export function Scan({ onPicture }: { onPicture: (f: File) => void }): JSX.Element {
  return (
    <Pick accept="image/*" more={{ capture: 'environment' }} onFiles={([f]) => onPicture(f!)}>
      <Icon name="code" size={18} />Scan a code …
    </Pick>
  )
}
