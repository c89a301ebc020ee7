// The search screen.
import type { JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { get, message } from '../api/client'
import type { Results as Answer } from '../api/types'
import { isChannel, links, mayHaveKey } from '../lib/text'
import { query, setQuery } from '../router'
import { toast } from '../state/toasts'
import { Button, Empty, Problem, Working } from '../ui/basics'
import { Icon } from '../ui/icons'
import { adding } from './add'
import { Channels, follow } from './channels'
import { Found } from './hit'
import { say } from '../words'

export function Find(): JSX.Element {
  const q = query.value.get('q') ?? ''
  const box = useRef<HTMLInputElement>(null)
  // Put the cursor at the end of the query. Without a keyboard one would rise over the channels.
  useLayoutEffect(() => {
    if (matchMedia('(pointer: coarse)').matches) return
    box.current!.focus()
    box.current!.setSelectionRange(q.length, q.length)
  }, [])
  return (
    <div class="screen page find">
      <div class="head"><h1>{say('shell.find')}</h1></div>
      <div class="search big">
        <Icon name="find" size={20} />
        <input
          ref={box} type="search" value={q} aria-label={say('find.search')}
          placeholder={say('find.hint')}
          onInput={(e) => setQuery({ q: e.currentTarget.value })}
        />
        <kbd aria-hidden="true">/</kbd>
      </div>
      {isChannel(q) ? (
        <p class="note row spread">{say('find.channel')} <Button variant="primary" onClick={() => { follow(q).catch((e) => toast(message(e), { bad: true })) }}>{say('channels.follow')}</Button></p>
      ) : links(q).length > 0 ? (
        <p class="note row spread">{say('find.link')} <Button variant="primary" onClick={() => { adding.value = { text: q } }}>{say('find.preview')}</Button></p>
      ) : mayHaveKey(q) ? <Problem>{say('find.damaged')}</Problem> : <Results q={q} />}
      {!q.trim() && <Channels />}
    </div>
  )
}

const page = 50
const most = 500 // the node's limit

function Results({ q }: { q: string }): JSX.Element {
  const [found, setFound] = useState<Answer & { q: string }>()
  const [limit, setLimit] = useState(page)
  const [problem, setProblem] = useState('')
  useEffect(() => setLimit(page), [q])
  useEffect(() => {
    if (!q.trim()) return setFound(undefined)
    const abort = new AbortController()
    // Wait for a pause in typing.
    const timer = setTimeout(() => {
      get<Answer>(`/search?q=${encodeURIComponent(q)}&limit=${limit}`, abort.signal).then(
        (r) => { setFound({ q, ...r }); setProblem('') },
        (e) => { if (!abort.signal.aborted) setProblem(message(e)) },
      )
    }, 120)
    return () => {
      clearTimeout(timer)
      abort.abort()
    }
  }, [q, limit])
  if (!q.trim()) return <p class="muted">{say('find.where')}</p>
  if (problem) return <Problem>{problem}</Problem>
  if (!found) return <Working>{say('find.searching')}</Working>
  if (found.total === 0) return <Empty icon="find" title={say('find.none')}><p>{say('find.none.why')}</p></Empty>
  return (
    <section class="card">
      <p class="muted" role="status">{say(found.more ? 'find.more' : 'count.results', { n: found.total })}</p>
      <ul class="hits">{found.hits.map((h) => <Found key={h.id + (h.channel ?? '')} h={h} />)}</ul>
      {found.hits.length === limit && limit < found.total && <Button onClick={() => setLimit(Math.min(limit + page, most))}>{say('button.more')}</Button>}
    </section>
  )
}
