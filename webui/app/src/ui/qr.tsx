// A link as a QR code, whose drawing code is loaded on first use.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { say } from '../words'

// The capacity of the largest QR code with the least redundancy.
const most = 2900

/** QR draws text as a QR code, dark on light in every theme. */
export function QR({ text, label }: { text: string; label: string }): JSX.Element {
  const [code, setCode] = useState<{ text: string; size: number; path: string }>()
  useEffect(() => {
    let gone = false
    if (text.length <= most) {
      void import('./qrcode').then(({ draw }) => {
        if (!gone) setCode({ text, ...draw(text) })
      })
    }
    return () => {
      gone = true
    }
  }, [text])
  if (text.length > most) return <p class="muted">{say('share.code.long')}</p>
  return (
    <div class="qr">
      {code?.text === text && (
        <svg viewBox={`0 0 ${code.size} ${code.size}`} role="img" aria-label={label} shape-rendering="crispEdges">
          <path d={code.path} />
        </svg>
      )}
    </div>
  )
}
