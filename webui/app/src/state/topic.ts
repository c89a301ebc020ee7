import type { Transfer } from '../api/types'
import { topics } from './stream'

/** topic is the latest that the stream told of a transfer's details. */
export function topic<T extends { id: string }>(kind: string, t: Transfer): T | undefined {
  const data = topics.value[kind] as T | undefined
  return data?.id === t.id ? data : undefined
}
