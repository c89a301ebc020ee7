// What is typed over a value of the node, which an answer that comes late does not replace.
import { useEffect, useRef, useState } from 'preact/hooks'

/** useTyped is a text that begins as what is kept, and follows that unless something else was typed since it was sent. */
export function useTyped(kept: string): { text: string; set: (to: string) => void; send: () => void } {
  const [text, set] = useState(kept)
  const known = useRef([kept])
  useEffect(() => {
    const was = known.current
    set((now) => (was.includes(now) ? kept : now))
    known.current = [kept]
  }, [kept])
  return { text, set, send: () => { known.current = [kept, text] } }
}
