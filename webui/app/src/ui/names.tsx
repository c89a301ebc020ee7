// A list of files that have another name elsewhere.
import type { JSX } from 'preact'
import { shown } from '../lib/text'
import { say } from '../words'

const most = 200

/** Names lists files that have another name elsewhere: from and to. */
export function Names({ title, pairs }: { title: string; pairs: readonly (readonly [string, string])[] }): JSX.Element | null {
  if (pairs.length === 0) return null
  return (
    <details class="names">
      <summary>{say('names.title', { title, n: pairs.length })}</summary>
      <ul class="plainlist" tabIndex={0} aria-label={title}>
        {pairs.slice(0, most).map(([from, to]) => (
          <li key={from} class="break"><bdi>{shown(from)}</bdi> → <bdi>{shown(to)}</bdi></li>
        ))}
      </ul>
      {pairs.length > most && <p class="muted">{say('count.more', { n: pairs.length - most })}</p>}
    </details>
  )
}
