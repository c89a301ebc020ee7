// The details of one transfer that a screen has subscribed to.
import type { Transfer } from '../api/types'
import { topics } from './stream'

/** topic is the latest details of a transfer from the stream. */
export function topic<T extends { id: string }>(kind: string, t: Transfer): T | undefined {
  const data = topics.value[kind] as T | undefined
  return data?.id === t.id ? data : undefined
}
