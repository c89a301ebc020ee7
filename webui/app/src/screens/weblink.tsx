// The place of the web links of a transfer, whose card is loaded when there is one.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { can } from '../api/client'
import type { Transfer } from '../api/types'

type Card = (props: { t: Transfer }) => JSX.Element

/** WebLinks is the card for the web links of a transfer. There are none of what a browser cannot use. */
export function WebLinks({ t }: { t: Transfer }): JSX.Element | null {
  const [Card, setCard] = useState<Card>()
  const fits = can('POST /transfers/{id}/web-links') && t.seal !== 'blind' && !t.channel && !!t.link && t.state !== 'hashing'
  useEffect(() => {
    if (fits) void import('./weblinks').then((m) => setCard(() => m.Card), () => undefined) // the node is gone: the stream says so
  }, [fits])
  return fits && Card ? <Card key={t.id} t={t} /> : null
}
