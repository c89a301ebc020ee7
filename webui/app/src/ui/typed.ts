// What is typed over a value of the node, which an answer that comes late does not replace.
import type { RefObject } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'

type Element = HTMLInputElement | HTMLTextAreaElement

interface Field<E extends Element> {
  ref: RefObject<E | null>
  text: string
  set: (to: string) => void
  cancel: () => void
  /** sent tells that the text is being saved. Once it is, the field shows what the node made of it, unless something else was typed meanwhile. */
  sent: (saved: Promise<boolean>) => void
}

/** useTyped is a field that shows a value, or what is typed over it until that is saved. */
export function useTyped<E extends Element>(kept: string): Field<E> {
  const [typed, set] = useState<string>()
  const text = typed ?? kept
  const same = (as: string) => (now: string | undefined) => (now === as ? undefined : now)
  useLayoutEffect(() => set(same(kept)), [kept])
  // A browser takes the selection away with the text. Whoever has selected it to type anew keeps it.
  const ref = useRef<E>(null)
  const e = ref.current
  const had = e && e.value !== text && e === document.activeElement ? { start: e.selectionStart!, end: e.selectionEnd!, all: e.value.length } : undefined
  useLayoutEffect(() => { if (had) ref.current!.setSelectionRange(had.start, had.end === had.all ? text.length : had.end) })
  return { ref, text, set, cancel: () => set(undefined), sent: (saved) => void saved.then((is) => { if (is) set(same(text)) }) }
}
