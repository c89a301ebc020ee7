// The web links of a transfer, as long as a screen shows them.
import { computed } from '@preact/signals'
import { useEffect, useRef, useState } from 'preact/hooks'
import { get, message } from '../api/client'
import type { WebLink } from '../api/types'
import { network, transfer } from './store'

// What browsers download counts as uploaded: a change of that is the sign to ask again,
// after as many milliseconds.
const pause = 5000

// What the links of a node are made of: its addresses, whether strangers reach them, and its
// certificates. When and how that was last seen changes with every peer that calls.
const passing = new Set(['time', 'udp_time', 'evidence', 'evidence_text', 'udp_evidence', 'udp_evidence_text'])
const reach = computed(() => JSON.stringify([network.value?.addresses, network.value?.web], (k, v: unknown) => (passing.has(k) ? undefined : v)))

/** WebLinks are the links of one transfer: undefined while unknown. */
export interface WebLinks {
  all: readonly WebLink[] | undefined
  problem: string
  again: () => Promise<void> // asks the node now
}

/** useFormer follows the addresses of web links that have stopped working. */
export function useFormer(): readonly string[] {
  const [former, setFormer] = useState<readonly string[]>([])
  const known = reach.value
  useEffect(() => {
    const gone = new AbortController()
    get<WebLink[]>('/web-links', gone.signal).then(
      (all) => setFormer(all.flatMap((l) => l.former ?? []).filter((f) => !f.works).map((f) => f.url)),
      () => { if (!gone.signal.aborted) setFormer([]) },
    )
    return () => gone.abort()
  }, [known])
  return former
}

/** useWebLinks follows the web links of a transfer. */
export function useWebLinks(id: string): WebLinks {
  const [all, setAll] = useState<readonly WebLink[]>()
  const [problem, setProblem] = useState('')
  const ask = async (signal?: AbortSignal): Promise<void> => {
    try {
      const links = await get<WebLink[]>(`/web-links?transfer=${id}`, signal)
      if (signal?.aborted) return
      setAll(links)
      setProblem('')
    } catch (e) {
      if (!signal?.aborted) setProblem(message(e))
    }
  }
  const known = reach.value
  useEffect(() => {
    const gone = new AbortController()
    const look = (): void => { if (!document.hidden) void ask(gone.signal) }
    look()
    document.addEventListener('visibilitychange', look)
    return () => {
      gone.abort()
      document.removeEventListener('visibilitychange', look)
    }
  }, [id, known])
  const uploaded = transfer(id)?.uploaded ?? 0
  const seen = useRef(uploaded)
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => {
    if (uploaded === seen.current || waiting.current) return
    seen.current = uploaded
    waiting.current = setTimeout(() => { waiting.current = undefined; void ask() }, pause)
  }, [uploaded])
  useEffect(() => () => clearTimeout(waiting.current), [])
  return { all, problem, again: () => ask() }
}
