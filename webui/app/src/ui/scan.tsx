// A button that takes or chooses a picture and reads the QR code in it.
import type { JSX } from 'preact'
import { shown } from '../lib/text'
import { Pick } from './basics'
import { Icon } from './icons'
import { say } from '../words'

/** codeIn returns the text of the QR code in a picture. The reader is loaded on first use. */
export async function codeIn(file: File): Promise<string> {
  const { read } = await import('./qrread')
  let text: string | undefined
  try {
    text = await read(file)
  } catch {
    throw new Error(say('scan.not.picture', { name: shown(file.name) }))
  }
  if (text === undefined) throw new Error(say('scan.none'))
  return text
}

/** Scan asks for a picture of a QR code: from the camera on a phone, else from a file. */
export function Scan({ onPicture }: { onPicture: (f: File) => void }): JSX.Element {
  return (
    <Pick accept="image/*" more={{ capture: 'environment' }} onFiles={([f]) => onPicture(f!)}>
      <Icon name="code" size={18} />{say('scan.scan')}
    </Pick>
  )
}
